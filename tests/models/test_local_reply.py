"""A reply of local weights, token by token: one byte of UTF-8 is a token here, 0 ends the reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.message import Finish, Request, Sampling, say
from assay.models.local_reply import Row


class Bytes:
    """Tokens are bytes; 0 is the end."""

    ends = frozenset({0})

    def text(self, tokens):
        return bytes(tokens).decode("utf-8", "replace")


def written(text, *, stop=(), limit=10_000, end=True):
    request = Request((say("user", "x"),), sampling=Sampling(stop=stop))
    row, shown = Row(request, [1], Bytes(), limit), []
    for token in [*text.encode(), *([0] if end else [])]:
        row.add(token)
        row.arrived(len(shown))
        shown.append(row.fresh)
        if row.finish is not None:
            break
    return row, shown


@given(st.text(st.characters(blacklist_characters="\0\ufffd", blacklist_categories=["Cs"]), max_size=40))
def test_what_is_shown_piece_by_piece_is_the_text(text):
    row, shown = written(text)
    assert row.text == "".join(shown) == text
    assert row.finish is Finish.STOP
    assert sum(row.arrivals.length) == len(text)
    assert len(row.arrivals) == len(row.tokens) == len(text.encode()) + 1


def test_a_character_of_several_tokens_is_shown_when_it_is_whole():
    _, shown = written("Ё!")
    assert shown == ["", "Ё", "!", ""]


@pytest.mark.parametrize(
    ("text", "stop", "left"),
    [("say STOP now", ("STOP",), "say "), ("aab", ("ab",), "a"), ("abc", ("x", "c", "bc"), "a")],
)
def test_a_stop_ends_the_reply_and_not_even_its_beginning_is_shown(text, stop, left):
    row, shown = written(text, stop=stop)
    assert (row.text, "".join(shown), row.finish) == (left, left, Finish.STOP)


def test_what_only_began_as_a_stop_is_shown_in_the_end():
    row, shown = written("say STO", stop=("STOP",))
    assert "".join(shown) == row.text == "say STO"
    assert shown[-1] == "STO"


def test_the_limit_ends_it_and_the_models_own_end_wins_over_it():
    row, _ = written("abcdef", limit=3)
    assert (row.text, row.finish) == ("abc", Finish.LENGTH)
    row, _ = written("ab", limit=3)
    assert (row.text, row.finish) == ("ab", Finish.STOP)


def test_a_reply_that_is_cut_inside_a_character_shows_that_it_is_broken():
    row, shown = written("aЁ", limit=2)
    assert row.text == "".join(shown) == "a\ufffd"
