"""The collector is still while scenarios are read, for as many as read them, and goes on after."""

import gc

import pytest

from assay.service.collector import Collector


@pytest.fixture(autouse=True)
def _collecting():
    yield
    gc.enable()
    gc.unfreeze()


def test_no_round_begins_until_the_last_reader_is_done():
    collector = Collector()
    with collector.still():
        with collector.still():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_a_reader_that_failed():
    with pytest.raises(RuntimeError), Collector().still():
        raise RuntimeError
    assert gc.isenabled()


def test_what_is_spared_is_taken_back():
    collector = Collector()
    collector.spare()
    assert gc.get_freeze_count() > 0
    collector.take_back()
    assert gc.get_freeze_count() == 0
