import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.keys import SEED_MASK, canonical, digest, random_stream, trial_seed, unit

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _normal(value):
    """What canonical form holds equal: integral floats are integers, booleans are neither."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    if isinstance(value, (int, float)):
        return ("number", value)
    if isinstance(value, list):
        return ("list", tuple(_normal(item) for item in value))
    return ("dict", frozenset((key, _normal(item)) for key, item in value.items()))


@given(VALUES, VALUES)
def test_two_values_have_one_form_only_if_they_are_equal(a, b):
    assert (canonical(a) == canonical(b)) == (_normal(a) == _normal(b))


@given(VALUES)
def test_the_order_of_an_objects_keys_does_not_matter(value):
    def turned(v):
        if isinstance(v, dict):
            return {k: turned(v[k]) for k in reversed(list(v))}
        return [turned(i) for i in v] if isinstance(v, list) else v

    assert canonical(turned(value)) == canonical(value)


def test_lengths_keep_neighbouring_texts_apart():
    assert canonical(["ab", "c"]) != canonical(["a", "bc"])


def test_zero_and_zero_point_zero_are_one_setting_but_false_is_another():
    assert digest({"temperature": 0}) == digest({"temperature": 0.0})
    assert digest({"temperature": 0}) != digest({"temperature": False})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_has_no_form(bad):
    with pytest.raises(ValueError, match="no canonical form"):
        canonical({"x": [bad]})


def test_a_value_that_is_not_json_has_no_form():
    with pytest.raises(TypeError, match="set"):
        canonical({1, 2})
    with pytest.raises(TypeError, match="must be text"):
        canonical({1: 2})


def test_a_known_digest_stays_what_it_is():
    # Stored keys must be found again by every later version.
    assert digest(["v1", {"b": 1.0, "a": None}], 16) == "6e7bc98cd61ab095"


@given(st.integers(0, 2**53), st.text(), st.integers(0, 9))
def test_a_seed_fits_in_53_bits_and_differs_by_repeat(run_seed, identity, repeat):
    seed = trial_seed(run_seed, identity, repeat)
    assert 0 <= seed <= SEED_MASK
    assert seed != trial_seed(run_seed, identity, repeat + 1)


def test_streams_of_one_seed_are_independent_by_name_and_the_same_again():
    first = random_stream(7, "client.llm").random()
    assert first == random_stream(7, "client.llm").random()
    assert first != random_stream(7, "tool.faults").random()


@given(VALUES)
def test_a_draw_lies_in_the_unit_interval(value):
    assert 0 <= unit(value) < 1
