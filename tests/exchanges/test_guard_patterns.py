"""The guard's patterns: joined into one, they find what each finds alone."""

import pytest

from assay.exchanges.conversation.guard.patterns import alternatives, each, one


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("a|b", ["a", "b"]),
        (r"a\|b|c", [r"a\|b", "c"]),
        ("(?:a|b)c|d", ["(?:a|b)c", "d"]),
        ("[|)]a|[^]|]b", ["[|)]a", "[^]|]b"]),
        (r"[\]|]|(?<=x|y)z", [r"[\]|]", "(?<=x|y)z"]),
        ("", [""]),
    ],
)
def test_a_pattern_is_parted_at_the_bars_outside_of_groups_and_sets(pattern, parts) -> None:
    assert list(alternatives(pattern)) == parts


@pytest.mark.parametrize(
    "section", ["reasoning_leak", "role_flip.ru", "role_flip.en", "topic.phone", "refusal"]
)
def test_a_section_begins_where_the_first_of_its_lines_does(section) -> None:
    """Its lines are tried word by word, and all the same none of them finds anything earlier."""
    texts = [
        "as instructed, i don't say that. the customer agrees. what is your phone number?",
        "вам оформить заказ? к сожалению, доставки нет. я программа, а не клиент; назовите ваш телефон",
        "we have it in stock, shall i place the order for you? sorry, we only deliver tomorrow",
    ]
    for text in texts:
        starts = [found.start() for pattern in each(section) if (found := pattern.search(text))]
        whole = one(section).search(text)
        assert (None if whole is None else whole.start()) == min(starts, default=None)
