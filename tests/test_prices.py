"""Prices: exact dollars, the right row, honest unknowns, and the table that ships."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay.prices
from assay.message import Request, Sampling, ToolSpec, Usage, say
from assay.prices import Price, PriceTable, prompt_tokens_bound

SHIPPED = msgspec.json.decode(Path(assay.prices.__file__).with_suffix(".json").read_bytes(), type=PriceTable)


def row(model: str, price: str = "1", **more) -> Price:
    return Price(model, Decimal(price), Decimal(price), "a page", "2026-11-21", **more)


def test_a_cost_is_exact_and_the_cached_part_has_its_own_price():
    usage = Usage(input=1_000_003, output=7, cached=400_001, reasoning=5)
    expected = (600_002 * Decimal("0.15") + 400_001 * Decimal("0.075") + 7 * Decimal("0.60")) / 10**6
    assert SHIPPED.cost("openai/gpt-4o-mini", usage) == expected == Decimal("0.120004575")


def test_reasoning_is_part_of_the_output_and_not_paid_twice():
    plain, thoughtful = Usage(10, 100), Usage(10, 100, reasoning=90)
    assert SHIPPED.cost("openai/gpt-4o", plain) == SHIPPED.cost("openai/gpt-4o", thoughtful)


def test_without_a_cached_price_cached_input_costs_as_much_as_any():
    assert row("m").cost(Usage(10, 0, cached=10)) == row("m").cost(Usage(10, 0))


def test_more_cached_than_input_tokens_never_make_a_negative_cost():
    assert row("m", cached=Decimal(0)).cost(Usage(10, 0, cached=50)) == 0


def test_an_unknown_model_has_no_price_rather_than_a_wrong_one():
    usage = Usage(10, 10)
    for model in ("openai/gpt-4o-audio-preview", "openai/gpt-4o@proxy", "ollama/llama3.2:1b", "gpt-4o"):
        assert SHIPPED.cost(model, usage) is None
        assert (
            SHIPPED.worst_case(model, Request((say("user", "?"),), sampling=Sampling(max_tokens=1))) is None
        )


def test_a_name_beats_a_beginning_and_a_longer_beginning_a_shorter_one():
    table = PriceTable("1", "2026-11-21", (row("a/*", "1"), row("a/b-*", "2"), row("a/b-c", "3")))
    found = [table.price(model) for model in ("a/x", "a/b-x", "a/b-c")]
    assert [price.input for price in found if price] == [1, 2, 3]


def test_a_users_own_rows_replace_those_of_the_same_model_and_change_the_version():
    mine = SHIPPED.over([row("openai/gpt-4o", "9"), row("ollama/llama3.2:1b", "0")])
    assert mine.cost("openai/gpt-4o", Usage(1_000_000, 0)) == 9
    assert mine.cost("ollama/llama3.2:1b", Usage(5, 5)) == 0
    assert mine.cost("openai/gpt-4.1", Usage(1_000_000, 0)) == 2
    assert mine.version != SHIPPED.version
    assert SHIPPED.over([]) == SHIPPED


@pytest.mark.parametrize(
    "bad", [{"model": "a*b"}, {"model": "m", "input": "-1"}, {"model": "m", "cached": "NaN"}]
)
def test_a_bad_row_is_refused_and_named(bad):
    raw = {"input": "1", "output": "1", "source": "s", "date": "2026-11-21", **bad}
    with pytest.raises(msgspec.ValidationError, match=re.escape(bad["model"])):
        msgspec.convert({"version": "1", "date": "x", "rows": [raw]}, PriceTable)


def test_two_prices_for_one_model_are_refused():
    with pytest.raises(ValueError, match="two prices for 'm'"):
        PriceTable("1", "x", (row("m"), row("m", "2")))


def test_every_shipped_row_has_a_source_and_a_date():
    assert len(SHIPPED.rows) > 20
    for price in SHIPPED.rows:
        assert price.source
        assert date.fromisoformat(price.date) <= date.fromisoformat(SHIPPED.date)
        assert price.cached is None or price.cached <= price.input
        assert price.input <= price.output


def test_emulated_models_have_a_price_that_says_it_is_pretended():
    price = SHIPPED.price("emulated/skill-0.8")
    assert price is not None
    assert price.source == "emulator, pretend price"
    assert SHIPPED.cost("emulated/skill-0.8", Usage(1000, 1000)) == Decimal("0.00075")
    assert SHIPPED.cost("recorded/answers.jsonl#a", Usage(10, 10)) == 0


def test_the_worst_case_takes_max_tokens_else_the_models_own_limit():
    table = PriceTable("1", "x", (row("m", "1000000", max_output=50), row("n", "1000000")))
    messages = (say("user", "hello"),)
    bound = prompt_tokens_bound(Request(messages))
    limited = Request(messages, sampling=Sampling(max_tokens=7))
    assert table.worst_case("m", limited) == bound + 7
    assert table.worst_case("m", Request(messages)) == bound + 50
    assert table.worst_case("n", Request(messages)) is None


@given(st.text(max_size=200), st.text(max_size=50))
def test_the_prompt_bound_is_above_one_token_for_each_byte(text, tool):
    request = Request((say("system", text), say("user", text)), (ToolSpec(tool, text, {"type": "object"}),))
    sent = 3 * len(text.encode()) + len(tool.encode())
    assert prompt_tokens_bound(request) > sent
