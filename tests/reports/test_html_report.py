"""The HTML report: one file, nothing from outside, everything in its order, hostile text only as text."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from assay.errors import ErrorClass
from assay.message import Message, ToolCall, say
from assay.reports import html_trials
from assay.reports.html import as_html
from assay.reports.page import read_page
from assay.trial import Event, EventKind, Score, Status

VOID = {"meta", "circle", "line", "path", "polygon", "rect"}
HOSTILE = (
    "<script>alert(1)</script>",
    "</details></section></main><img src=x onerror=alert(2)>",
    '" onmouseover="alert(3)',
    "\u202egnp.exe\u202c",
    "<!-- -->",
    "javascript:alert(4)",
    "\x00\x1b[31m\ud800",
    "z" + "\u0301" * 3000,
)


class Reader(HTMLParser):
    """Elements in their order; every one must be closed where it should be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def read(page):
    document = as_html(page)
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return document, reader


def test_the_page_is_well_formed_and_its_ids_are_its_own(make):
    _, reader = read(make.page(make.duel()))
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    linked = {attrs["href"][1:] for attrs in reader.all("a")}
    assert linked <= set(ids)


def test_nothing_comes_from_outside(make):
    document, reader = read(make.page(make.duel()))
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", document)
    for _, attrs in reader.elements:
        assert not {"src", "srcset", "action", "style"} & attrs.keys()
        assert not [name for name in attrs if name.startswith("on")]
    assert not reader.all("link")


def test_the_policy_lets_in_the_one_style_and_the_one_script_and_nothing_else(make):
    document, reader = read(make.page(make.duel()))
    (policy,) = [a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for element in ("style", "script"):
        (inside,) = re.findall(f"<{element}>(.*?)</{element}>", document, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_parts_stand_in_their_order(make):
    _, reader = read(make.page(make.duel()))
    assert [attrs["id"] for attrs in reader.all("section")] == [
        "headline",
        "comparison",
        "slices",
        "speed",
        "cost",
        "flips",
        "worst",
        "transcripts",
        "configuration",
    ]
    names = [name for name, _ in reader.elements]
    assert names.index("h1") < names.index("nav") < names.index("main") < names.index("footer")
    assert names.count("h1") == 1


def test_light_dark_narrow_and_paper_are_all_designed(make):
    document, reader = read(make.page(make.duel()))
    for rule in ("prefers-color-scheme: dark", "max-width: 640px", "@media print", "tabular-nums"):
        assert rule in document
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in reader.all("meta")


def test_every_chart_is_told_in_words_or_stands_beside_its_figures(make):
    _, reader = read(make.page(make.duel()))
    charts = [a for a in reader.all("svg") if a.get("role") == "img"]
    assert len(charts) > 5
    assert all(a["aria-label"] for a in charts)
    assert "bad/b: 0.50 [" in " ".join(a["aria-label"] for a in charts)


def test_an_emulated_model_is_called_so_at_the_top_and_beside_its_figures(make):
    _, reader = read(make.page([make.trial(n, n > 0, model="emulated/skill-1") for n in range(3)]))
    text = "".join(reader.text)
    assert "emulated figures say nothing of real ones" in text
    assert text.count("emulated/skill-1") == text.count("emulated/skill-1 (emulated)") > 5


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_text_is_text_wherever_it_may_stand(make, bad):
    tools = Event(
        EventKind.TOOL_CALL, "candidate", Message("assistant", (), (ToolCall("c1", f"tool{bad}", bad),))
    )
    result = Event(EventKind.TOOL_RESULT, "tool", Message("tool", say("tool", bad).content, (), "c1"))
    gone = Event(EventKind.DISCARDED, bad, say("assistant", bad), None, False, {"fault": bad})
    trials = [
        make.trial(
            n,
            n > 3,
            bad,
            name=f"{bad} {n}",
            model=f"m/{bad}",
            more=(tools, result, gone, Event(EventKind.EFFECT, "x", None, None, True, {"e": bad})),
            scores=(Score("exact", n > 3, reason=bad), Score(f"other{bad}", bad, reason=bad)),
            detail=bad,
        )
        for n in range(6)
    ]
    failed = make.trial(9, model=f"m/{bad}", status=Status.FAILED, detail=bad, scores=())
    run = make.run(f"m/{bad}", task=bad, plan={bad: [bad]})
    _, reader = read(make.page([*trials, failed], run))
    assert len(reader.all("script")) == 1
    assert not reader.all("img")
    for _, attrs in reader.elements:
        assert not [name for name in attrs if name.startswith("on")]
    text = "".join(reader.text)
    assert not set(text) & set("\u202e\u202c\x00\x1b\ud800")


def test_a_line_of_a_million_characters_is_cut_with_a_word_on_its_length(make):
    document, reader = read(make.page([make.trial(0, False, "A" * 1_000_000)]))
    assert len(document) < 100_000
    assert "1 000 000 characters in all" in "".join(reader.text)


def test_the_page_stays_under_two_megabytes_however_long_the_texts(make):
    page = make.page([make.trial(n, False, "Ж" * 50_000) for n in range(400)])
    said = [Event(EventKind.SAID, "candidate", say("assistant", "Ж" * 5_000)) for _ in range(200)]
    long = make.page([make.trial(n, False, "Ж" * 5_000, more=said) for n in range(80)])
    for each in (page, long):
        assert len(as_html(each).encode()) < 2_000_000
    assert "no room on this page" in as_html(long)


def test_a_trial_is_shown_once_even_where_several_lists_name_it(make):
    page = make.page(make.duel())
    _, reader = read(page)
    folded = [a["id"] for a in reader.all("details") if a.get("class") == "trial"]
    assert folded == [html_trials.anchor(n) for n in range(len(page.trials))]


def test_a_discarded_line_is_struck_out_and_says_why(make):
    gone = Event(EventKind.DISCARDED, "agent", say("assistant", "oops"), None, False, {"fault": "left_role"})
    document, _ = read(make.page([make.trial(0, False, more=(gone,))]))
    assert '<li class="gone">' in document
    assert "discarded (left_role)" in document


def test_a_tool_call_and_its_result_are_one_line(make):
    asked = Message("assistant", (), (ToolCall("c1", "add", '{"a": 1}'),))
    events = (
        Event(EventKind.TOOL_CALL, "candidate", asked),
        Event(EventKind.TOOL_RESULT, "tool", Message("tool", say("tool", "done!").content, (), "c1")),
    )
    document, _ = read(make.page([make.trial(0, False, more=events)]))
    assert document.count("done!") == 1


def test_failures_are_counted_with_their_classes(make):
    trials = [make.trial(n, error=ErrorClass.TIMEOUT if n < 3 else None) for n in range(30)]
    _, reader = read(make.page(trials))
    text = "".join(reader.text)
    assert "timeout 3" in text
    assert "3/30" in text
    assert "10.0% of the trials failed" in text


def test_a_run_without_trials_has_a_page_that_says_how_to_go_on(make):
    _, reader = read(make.page([], make.run(planned=10, state="interrupted")))
    assert "No trials yet: assay run --resume goes on" in "".join(reader.text)


def test_a_run_in_which_all_is_right_says_so(make):
    _, reader = read(make.page([make.trial(n) for n in range(4)]))
    assert "Every trial was right." in "".join(reader.text)


def test_a_load_run_shows_what_ended_over_time(make):
    run = make.run(plan={"schedule": {"kind": "constant", "rate": 10}, "window": {"seconds": 5}})
    trials = [make.trial(n, n % 4 > 0, due=n / 10) for n in range(50)]
    _, reader = read(make.page(trials, run))
    assert "trials ended a second" in " ".join(a.get("aria-label") or "" for a in reader.all("svg"))
    assert "offered/s" in "".join(reader.text)


def test_two_runs_show_what_differs(make):
    runs = make.run(id="run_a"), make.run(id="run_b", plan={"task": "sums", "seed": 8})
    sources = [make.source([make.trial(n, n > 3, run=r.id) for n in range(9)], r) for r in runs]
    _, reader = read(read_page(sources))
    assert "what differs" in "".join(reader.text)
    assert "/plan/seed" in "".join(reader.text)


def test_seven_models_have_colours_and_all_stand_in_the_table(make):
    models = [f"x/{letter}" for letter in "abcdefg"]
    _, reader = read(make.page([make.trial(n, n % 3 > 0, model=m) for n in range(9) for m in models]))
    text = "".join(reader.text)
    assert all(model in text for model in models)


def test_the_same_trials_give_the_same_bytes(make):
    assert as_html(make.page(make.duel())) == as_html(make.page(make.duel()))
