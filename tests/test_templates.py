"""Prompt templates as simulation.md 3.1 fixes them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.templates import Template


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hi {{NAME}}!", "Hi Ann!"),
        ("Hi {NAME}!", "Hi Ann!"),
        ("{{NAME}}{NAME}", "AnnAnn"),
        ("{{{NAME}}}", "{Ann}"),
        ("{{NAME}", "{Ann"),
        ("{NAME}}", "Ann}"),
        (r"\{{NAME}}", "{{NAME}}"),
        (r"\{{ {{NAME}}", "{{ Ann"),
        (r"\{NAME}", r"\Ann"),
        ("{{LIST}} {{LIST|json}}", '["a", 1] ["a", 1]'),
        ("{{NAME|json}}", '"Ann"'),
        ("{{QUOTE|json}}", r'"say \"да\"\n"'),
        ("{{N}} {{TRUE}} {{NONE}}.", "3 true ."),
        ("{NAME|json}", "{NAME|json}"),
        ("{{NAME|upper}}", "{{NAME|upper}}"),
        ("{{ NAME }}", "{{ NAME }}"),
        ("{{name}} {9} {}", "{{name}} {9} {}"),
        ('{"KEY": {"OTHER": 1}} {OTHER}', '{"KEY": {"OTHER": 1}} {OTHER}'),
        (
            "{{7*7}} ${NAME.__class__} {0.__globals__} $$ %(x)s",
            "{{7*7}} ${NAME.__class__} {0.__globals__} $$ %(x)s",
        ),
    ],
)
def test_only_names_that_have_a_value_are_filled_in(text, shown):
    values = {"NAME": "Ann", "LIST": ["a", 1], "QUOTE": 'say "да"\n', "N": 3, "TRUE": True, "NONE": None}
    assert Template(text).render(values) == shown


@given(st.text(alphabet="{}\\|ABNAME json_"), st.text(alphabet="{}\\|ABNAME json_"))
def test_a_value_is_never_scanned_again(value, around):
    around = around.replace("{", "").replace("\\", "")
    assert Template(around + "{{NAME}}" + around).render({"NAME": value, "A": "x", "B": "y"}) == (
        around + value + around
    )


@given(st.text(alphabet="{}\\|ABNAME json_\n"))
def test_a_text_without_values_changes_by_escapes_alone(text):
    assert Template(text).render({}) == text.replace("\\{{", "{{")


def test_every_missing_variable_is_listed_with_file_and_line():
    template = Template("{{GOAL}}\n\\{{\nand {CITY}\n{{GOAL|json}} {OTHER}", "prompts/client_system.txt")
    with pytest.raises(UsageError) as error:
        template.render({}, known={"GOAL", "CITY"})
    assert error.value.problem == (
        "no value for prompts/client_system.txt:1 {{GOAL}}, prompts/client_system.txt:3 {CITY}, "
        "prompts/client_system.txt:4 {{GOAL|json}}"
    )
    assert "GOAL, CITY" in error.value.fix


def test_names_unused_and_unknown_are_listed():
    template = Template("{{A}} {B} {{A}} {{TYPO}}")
    assert template.names == ("A", "B", "TYPO")
    assert template.unused(["A", "SEED", "B"]) == ("SEED",)
    assert [slot.raw for slot in template.unknown({"A", "B"})] == ["{{TYPO}}"]


def test_equal_texts_are_equal_templates():
    assert Template("{{A}}", "f") == Template("{{A}}", "f")


def test_rendering_keeps_up_with_a_load_run():
    template = Template("You are {{WHO}}.\n" * 20 + "{{INPUT}}")
    began = time.perf_counter()
    for _ in range(2000):
        template.render({"WHO": "an agent", "INPUT": "hello"})
    assert (time.perf_counter() - began) / 2000 < 1e-4
