"""The rule-following customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agenda import Brief, Change, GoalItem, Line, Move, Sheet, Swap, brief_of, goal_of, next_move
from assay.errors import UsageError

MILK, RICE = GoalItem("молоко", 3), GoalItem("рис", 2)
GREETING = "Здравствуйте, чем могу помочь?"


def talk(brief, *agent_lines, seed=7) -> list[Move]:
    """The customer's moves, one for each of the agent's lines."""
    heard, moves = [], []
    for text in agent_lines:
        heard.append(Line("agent", text))
        moves.append(next_move(brief, heard, seed))
        heard.append(Line("client", moves[-1].say))
    return moves


def test_equal_briefs_dialogues_and_seeds_give_equal_moves():
    brief = Brief((MILK, RICE), ambiguity=2)
    assert talk(brief, GREETING, "Что ещё?") == talk(brief, GREETING, "Что ещё?")


def test_the_seed_varies_the_wording():
    brief = Brief((MILK,))
    assert len({talk(brief, GREETING, seed=seed)[0].say for seed in range(20)}) > 1


def test_a_clear_customer_says_everything_at_once():
    (move,) = talk(Brief((MILK, RICE), ambiguity=0), GREETING)
    assert "молоко — 3, рис — 2" in move.say


@given(st.integers(0, 3), st.integers(1, 5), st.integers(0, 1000))
def test_the_first_line_withholds_as_many_slots_as_the_ambiguity_level(ambiguity, count, seed):
    items = tuple(GoalItem(f"товар{n}", 11 * (n + 1)) for n in range(count))
    (move,) = talk(Brief(items, ambiguity=ambiguity), GREETING, seed=seed)
    told = sum(item.name in move.say for item in items) + sum(f"— {item.qty}" in move.say for item in items)
    assert told <= max(0, 2 * count - ambiguity)


@given(st.integers(2, 3), st.integers(1, 4), st.integers(0, 1000))
def test_from_level_two_on_one_slot_a_turn_at_most_is_volunteered(ambiguity, count, seed):
    items = tuple(GoalItem(f"товар{n}", 11 * (n + 1)) for n in range(count))
    moves = talk(Brief(items, ambiguity=ambiguity, patience=3), GREETING, *["Что-нибудь ещё?"] * 4, seed=seed)
    known: set[str] = set()
    for move in moves:
        words = move.say.replace(",", " ").replace(".", " ").split()
        slots = {item.name for item in items if item.name in words}
        slots |= {f"{item.qty}" for item in items if f"{item.qty}" in words}
        new = slots - known
        names = {item.name for item in items}
        assert len(new) <= 1
        assert len(new & names) <= 1
        known |= slots


@pytest.mark.parametrize("patience", [0, 1, 2, 3])
def test_patience_allows_two_unhelpful_turns_and_two_more_a_level(patience):
    moves = talk(Brief((MILK,), patience=patience), GREETING, *["Сегодня прекрасная погода."] * 12)
    allowed = 2 + 2 * patience
    assert [move.reason for move in moves[: allowed + 1]] == [None] * (allowed + 1)
    assert moves[allowed + 1].reason == "gave_up"


def test_a_question_that_was_answered_before_is_unhelpful():
    brief = Brief((MILK,), patience=0, phone="+79001112233")
    moves = talk(brief, GREETING, *["Назовите ваш номер телефона."] * 4)
    assert "+79001112233" in moves[1].say
    assert moves[3].reason is None
    assert moves[4].reason == "gave_up"


def test_the_customer_hangs_up_content_once_the_order_is_placed():
    assert talk(Brief((MILK,)), GREETING, "Ваш заказ оформлен, номер ORD-00016.")[1].reason == "goal_done"


def test_an_order_placed_before_everything_was_told_is_objected_to():
    move = talk(Brief((MILK, RICE), ambiguity=1), GREETING, "Ваш заказ оформлен.")[1]
    assert move.reason is None
    assert "рис" in move.say


def test_a_question_whether_all_is_right_is_no_placed_order():
    move = talk(Brief((MILK,)), GREETING, "Заказ будет оформлен на завтра, всё верно?")[1]
    assert move.reason is None


def test_the_quantity_is_told_for_the_product_that_is_asked_about():
    brief = Brief((GoalItem("молоко", 3), GoalItem("рис", 2)), ambiguity=1)
    moves = talk(brief, GREETING, "Сколько риса вам нужно?")
    assert "2" in moves[1].say
    assert "3" not in moves[1].say


def test_a_substitute_is_taken_where_the_brief_accepts_it():
    sheet = Sheet(accept=(Swap("осетрина", "форель"),))
    brief = Brief((GoalItem("осетрина", 1),), sheet=sheet)
    move = talk(brief, GREETING, "К сожалению, осетрины нет в наличии.")[1]
    assert "форель — 1" in move.say
    assert move.reason is None


def test_without_a_substitute_the_customer_gives_up():
    move = talk(Brief((GoalItem("осетрина", 1),)), GREETING, "Осетрины нет в наличии.")[1]
    assert move.reason == "gave_up"


def test_a_change_of_mind_comes_when_the_order_is_to_be_confirmed():
    brief = Brief((GoalItem("рис", 3),), sheet=Sheet(changes=(Change("рис", 1),)))
    moves = talk(brief, GREETING, "Всё верно?", "Всё верно?")
    assert "рис — 1" in moves[0].say
    assert "рис — 3" in moves[1].say
    assert "рис" not in moves[2].say


def test_a_wish_for_the_delivery_is_said_once():
    brief = Brief((MILK,), sheet=Sheet(delivery="сегодня"))
    moves = talk(brief, GREETING, "Доставка завтра, подойдёт?", "Сегодня доставки нет, завтра подойдёт?")
    assert "сегодня" in moves[1].say
    assert "сегодня" not in moves[2].say


def test_a_fixed_opening_is_said_word_for_word():
    brief = Brief((MILK,), sheet=Sheet(opening="Девушка, молока мне!"))
    assert talk(brief, GREETING)[0].say == "Девушка, молока мне!"


def test_an_english_customer_speaks_english():
    moves = talk(Brief((GoalItem("milk", 3),), language="en"), "Hello!", "Is that all correct?")
    assert "milk — 3" in moves[0].say
    assert moves[1].say.startswith(("Yes", "I think"))


def test_a_very_long_line_is_heard_in_part_and_in_time():
    assert talk(Brief((MILK,)), GREETING, "назовите " * 200_000)[1].say


def test_a_brief_survives_its_json():
    brief = Brief((GoalItem("сыр", 0.5, variant="российский"),), 1, 3, sheet=Sheet(delivery="завтра"))
    assert Brief.read(brief.json) == brief


def test_a_brief_is_made_of_a_case_with_numbers_as_text():
    facts = {"ORDER_GOAL": '[{"name":"филе", "qty":2, "from_history":true}]', "AMB_LEVEL": "1", "PATIENCE": 3}
    assert brief_of(facts) == Brief((GoalItem("филе", 2, from_history=True),), 1, 3)


@pytest.mark.parametrize("level", [4, -1, True, "много", 1.5, None])
def test_a_level_outside_of_its_range_is_refused_by_name(level):
    with pytest.raises(UsageError, match="PATIENCE"):
        brief_of({"ORDER_GOAL": "[]", "PATIENCE": level})


def test_a_goal_that_is_not_json_is_refused_with_its_offset():
    with pytest.raises(UsageError, match="not JSON at character 9"):
        goal_of('[{"name":}]')


@pytest.mark.parametrize("item", [{"name": "x"}, {"name": "x", "qty": 0}, {"name": "x", "qty": 1, "size": 2}])
def test_a_goal_item_out_of_form_is_refused(item):
    with pytest.raises(UsageError, match="ORDER_GOAL"):
        goal_of([item])
