"""The scorers by name."""

import pytest

from assay.errors import UsageError
from assay.scorers import SCORERS, make_scorer

RENAMED = {
    "squad": "squad_exact",
    "relevance": "relevance_ref",
    "similarity": "similarity_char_tfidf",
    "structure": "structure_match",
    "tool_calls": "tool_call_accuracy",
}
"""What the first score of a scorer is called where it is not called as the scorer."""


def test_every_factory_makes_a_scorer_without_settings():
    for name, factory in SCORERS.items():
        scorer = factory()
        assert scorer.name == RENAMED.get(name, name)
        assert scorer.version >= 1
        assert isinstance(scorer.settings, dict)
        assert scorer.seats in ((), ("judge",))


def test_settings_are_converted_to_their_types():
    rubric = {
        "name": "mine",
        "about": "Judge.",
        "dimensions": [{"id": "d", "about": "x", "low": 0, "high": 1}],
    }
    assert make_scorer("judge", {"rubric": rubric, "repeats": 3}).settings["rubric"]["name"] == "mine"
    assert make_scorer("judge", {"scale": [1, 3]}).settings["rubric"]["dimensions"][0]["high"] == 3
    assert make_scorer("numeric", {"abs": 1}).settings["abs"] == 1.0
    assert make_scorer("json_schema", {"schema": {"type": "object"}}).name == "json_schema"


@pytest.mark.parametrize(
    ("name", "settings", "says", "fix"),
    [
        ("numerc", {}, "no scorer is called 'numerc'", "did you mean numeric?"),
        ("zzz", {}, "no scorer", "known: bleu, cer"),
        ("exact", {"cas": True}, "no setting 'cas'", "did you mean case?"),
        ("exact", {"case": "yes"}, "setting case", "give case as bool"),
        ("judge", {"repeats": "many"}, "setting repeats", "give repeats as int"),
        ("judge", {"rubric": {"name": "x", "about": "y", "dimensions": []}}, "dimensions", "rubric"),
        ("judge", {"rubric": "nope"}, "no rubric", "answer, phone_order"),
    ],
)
def test_a_wrong_name_or_setting_is_one_clear_error(name, settings, says, fix):
    with pytest.raises(UsageError) as error:
        make_scorer(name, settings)
    assert says in error.value.problem
    assert fix in error.value.fix
