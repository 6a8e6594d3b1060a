"""Prompts of a conversation: which files, their version, and whether the scenarios fit them."""

import pytest
from msgspec import structs

from assay.case import Case
from assay.errors import UsageError
from assay.exchanges.conversation.settings import Prompts, Settings, WebhookSettings
from assay.loading.prompts import fitted, prompt_set, with_evaluator
from assay.loading.tasks import read_task

FACTS = {
    "PERSONALITY": "спокойный",
    "AMB_LEVEL": 0,
    "PATIENCE": 2,
    "ORDER_GOAL": "[]",
    "CURRENT_DATE": "2025-06-08",
}


@pytest.fixture
def task(tmp_path):
    """A task whose prompts lie beside it, with a version of their own under v2."""
    folder = tmp_path / "prompts"
    (folder / "v2").mkdir(parents=True)
    (folder / "agent_system.txt").write_text("Sell on {{CURRENT_DATE}}.")
    (folder / "client_system.txt").write_text("Buy, {{PERSONALITY}}.")
    (folder / "evaluator_system.txt").write_text("Judge {{CONVERSATION}}.")
    (folder / "v2" / "agent_system.txt").write_text("Sell better.")
    (tmp_path / "task.yaml").write_text(
        "name: t\nexchange: conversation\nscorers: [state, judge: {prompt: prompts/evaluator_system.txt}]\n"
    )
    return read_task(tmp_path / "task.yaml")


def test_the_version_is_a_hash_of_the_three_texts_or_the_label(task):
    plain = prompt_set(task, Settings(), None)
    assert plain.version.startswith("sha256:")
    assert len(plain.version) == len("sha256:") + 12
    assert prompt_set(task, Settings(), None).version == plain.version
    for name in ("agent_system.txt", "client_system.txt", "evaluator_system.txt"):
        path = task.file("prompts") / name
        before = path.read_text()
        path.write_text(before + " More.")
        assert prompt_set(task, Settings(), None).version != plain.version
        path.write_text(before)
    assert prompt_set(task, Settings(), "v1").version == "v1"


def test_a_label_names_a_folder_whose_files_go_before_the_others(task):
    labelled = prompt_set(task, Settings(), "v2")
    assert (labelled.agent.text, labelled.client.text) == ("Sell better.", "Buy, {{PERSONALITY}}.")
    assert labelled.version == "v2"
    assert prompt_set(task, Settings(), "v3").agent.text == "Sell on {{CURRENT_DATE}}."


def test_a_hash_that_a_run_kept_is_counted_again(task):
    plain = prompt_set(task, Settings(), None)
    assert prompt_set(task, Settings(), "sha256:000000000000").version == plain.version


def test_a_folder_of_prompts_goes_before_the_tasks_own(task, tmp_path):
    mine = tmp_path / "mine"
    (mine / "b").mkdir(parents=True)
    settings = Settings(prompts=Prompts(folder=str(mine)))
    with pytest.raises(UsageError, match="holds no prompts"):
        prompt_set(task, settings, None)
    (mine / "evaluator_system.txt").write_text("Mine.")
    (mine / "b" / "agent_system.txt").write_text("Mine of b.")
    assert prompt_set(task, settings, "b").agent.text == "Mine of b."
    chosen = prompt_set(task, settings, None)
    assert chosen.agent.text == "Sell on {{CURRENT_DATE}}."
    assert with_evaluator(task.form.scorers, chosen) == ("state", {"judge": {"prompt": "Mine."}})


def test_the_judge_of_a_task_gets_the_prompt_of_its_file(task):
    scorers = with_evaluator(task.form.scorers, prompt_set(task, Settings(), None))
    assert scorers == ("state", {"judge": {"prompt": "Judge {{CONVERSATION}}."}})
    assert with_evaluator(("state",), None) == ("state",)


def case(name="one", **facts) -> Case:
    return Case("", name, facts={**FACTS, **facts})


def prompts(task, agent="Sell.", client="Buy.", settings=None):
    (task.file("prompts") / "agent_system.txt").write_text(agent)
    (task.file("prompts") / "client_system.txt").write_text(client)
    return prompt_set(task, settings or Settings(), None)


def test_a_variable_that_is_missing_is_an_error_that_lists_every_place(task):
    lacking = Case("", "two", facts={"ORDER_GOAL": "[]"})
    used = prompts(task, "Sell.\nToday is {{CURRENT_DATE}}.", "{PERSONALITY}\n\n{{CURRENT_DATE|json}} {{X}}")
    with pytest.raises(UsageError) as told:
        fitted([case(X="1"), lacking, lacking], used)
    assert told.value.problem == (
        'scenario "two" and 1 more: no value for prompts/agent_system.txt:2 {{CURRENT_DATE}}, '
        "prompts/client_system.txt:1 {PERSONALITY}, prompts/client_system.txt:3 {{CURRENT_DATE|json}}, "
        "prompts/client_system.txt:3 {{X}}"
    )
    assert "CURRENT_DATE, PERSONALITY, X" in told.value.fix


def test_what_is_missing_can_be_empty_or_a_webhooks_to_give(task):
    lacking = Case("", "two", facts={"ORDER_GOAL": "[]"})
    relaxed = Settings(prompts=Prompts(on_missing="empty"))
    (one, two), warnings = fitted(
        [case(), lacking], prompts(task, client="{{PERSONALITY}}", settings=relaxed)
    )
    assert (one.facts["PERSONALITY"], two.facts["PERSONALITY"]) == ("спокойный", "")
    assert warnings == ()
    hooked = Settings(webhook=WebhookSettings("https://example.test"))
    _, warnings = fitted([lacking], prompts(task, client="{{PERSONALITY}}", settings=hooked))
    assert "the webhook must give it" in warnings[0]


def test_a_prompt_that_no_model_is_given_needs_nothing(task):
    rules = Settings(client="rules")
    fitted([Case("", "two")], prompts(task, client="{{PERSONALITY}}", settings=rules))


def test_a_goal_in_the_agents_prompt_is_a_leak_and_in_the_clients_is_none(task):
    _, warnings = fitted([case()], prompts(task, "Sell.\n{{ORDER_GOAL}}", "{{ORDER_GOAL}} {{BRIEF}}"))
    (leak,) = warnings
    assert leak.startswith("prompts/agent_system.txt:2: goal leak: ORDER_GOAL")


def test_a_variable_that_no_prompt_shows_is_warned_of_once(task):
    _, warnings = fitted([case(COLOUR="red"), case(COLOUR="blue"), case(SEED=1)], prompts(task))
    assert warnings == ("COLOUR of 2 scenarios is used in no prompt",)


def test_a_name_that_nothing_gives_is_warned_of_with_what_was_meant(task):
    _, warnings = fitted([case()], prompts(task, 'Sell {{CURRENT_DAT}}. Example: {"A": {B}}'))
    assert warnings == (
        "prompts/agent_system.txt:1: nothing is called CURRENT_DAT (did you mean CURRENT_DATE?), so it stays",
    )


@pytest.mark.parametrize("name", ["CONVERSATION", "SESSION_ID", "STATE_DIFF", "RUBRIC"])
def test_a_name_of_the_evaluators_is_refused_elsewhere(name):
    from assay.exchanges.conversation import Conversation
    from assay.templates import Template

    with pytest.raises(UsageError, match=rf"c\.txt:2: {name} is for the evaluator"):
        Conversation(Settings(), Template("Sell."), Template(f"Buy.\n{{{{{name}}}}}", "c.txt"))


def test_prompts_can_be_texts(task):
    settings = Settings(prompts=Prompts(agent="Sell it.", client=None), client="rules")
    assert prompt_set(task, settings, None).agent.text == "Sell it."
    assert structs.replace(settings.prompts, agent="x").agent == "x"


def test_a_goal_that_an_agent_is_never_given_cannot_be_missing(task):
    lacking = Case("", "two", facts={"PERSONALITY": ""})
    fitted([lacking], prompts(task, "Sell {{ORDER_GOAL}}.", "Buy."))
    with pytest.raises(UsageError, match="ORDER_GOAL"):
        fitted([lacking], prompts(task, "Sell.", "Buy {{ORDER_GOAL}}."))
