"""A service that stays for the tests of a module."""

import pytest
from tests.service.serving import SPEAKERS, Emulated, Served


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    server = Emulated(tmp_path_factory.mktemp("emulator"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory, emulated):
    """A service that stays for the tests of a module."""
    service = Served(tmp_path_factory.mktemp("service"), *SPEAKERS, "--base-url", emulated.url)
    service.begin()
    yield service
    service.close()
