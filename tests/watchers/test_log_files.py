"""The log files: one object a line whatever is said, no secret in them, bounded, for their owner alone."""

import json
import logging
import os

import pytest

from assay.case import Case
from assay.errors import ErrorClass
from assay.keys import run_uuid
from assay.message import Reply, Request, ToolCall, Usage, say
from assay.ports import Run
from assay.seat.record import request_hash
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Transcript, Trial
from assay.watchers.log_files import LogFiles
from assay.watchers.log_lines import LogFolder, LogHandler

RUN = Run(
    id="run_1", plan={}, task="t", fingerprint="f", headline="state", models=("m",), planned=2,
    seed=0, wall=0, version="0",
)  # fmt: skip
REQUEST = Request((say("user", "x"),))
KEY = "sk-0123456789abcdefghij"


def call(error=None, detail="") -> Call:
    return Call(
        run="run_1", trial="k", role="agent", ordinal=0, attempt=1, model="m", request=REQUEST,
        request_hash=request_hash("m", REQUEST), occurrence=0, began=0,
        state=CallState.FAILED if error else CallState.DONE, error=error, detail=detail,
        reply=Reply("hi", usage=Usage(30, 2, cached=20)),
    )  # fmt: skip


def trial(status=Status.SCORED, detail="") -> Trial:
    return Trial(
        run="run_1", key="k", case=Case(id="c", name="n"), model="m", repeat=0, seed=0, status=status,
        detail=detail, scores=(Score("judge", 3.0),), transcript=Transcript((), Outcome("goal_done")),
    )  # fmt: skip


def said(text, role="agent", **more) -> Event:
    return Event(EventKind.SAID, role, say("assistant", text), **more)


def logged(folder, *events, end=None, **settings) -> dict[str, list[dict[str, object]]]:
    """The lines of each file after a run with these events."""
    logs = LogFiles(folder, **settings)
    logs.on_start(RUN, 0)
    for event in events:
        if isinstance(event, Call):
            logs.on_call(event)
        else:
            logs.on_event("k", event)
    logs.on_trial(trial() if end is None else end)
    logs.on_end(RUN)
    found = {}
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        found[path.name.partition("_")[0]] = [json.loads(line) for line in lines]
    return found


def test_a_conversation_is_there_line_by_line_with_its_turns_and_its_end(tmp_path):
    tool = Event(EventKind.TOOL_CALL, "agent", data={"name": "search"})
    lost = Event(
        EventKind.DISCARDED, "client", say("assistant", "?"), delivered=False, data={"fault": "empty"}
    )
    events = (said("Здравствуйте"), said("Да", "client", data={"heard": "Два"}), tool, lost)
    lines = logged(tmp_path, *events)["conversations"]
    assert [(line["kind"], line["role"], line["turn"]) for line in lines] == [
        ("said", "agent", 1),
        ("said", "client", 2),
        ("heard", "agent", 2),
        ("tool_call", "agent", 2),
        ("discarded", "client", 2),
        ("end", "exchange", 2),
    ]
    assert [lines[0]["text"], lines[2]["text"]] == ["Здравствуйте", "Два"]
    for line in lines:
        assert line["ts"].endswith("Z")
        assert line["mono_ns"] > 0
        assert (line["batch"], line["session"], line["trial"]) == (run_uuid("run_1"), "k", "run_1/k")


def test_a_call_has_its_tokens_and_a_failed_one_stands_in_the_error_log_too(tmp_path):
    failed = trial(Status.FAILED, "timeout")
    found = logged(tmp_path, call(), call(ErrorClass.TIMEOUT, "total"), end=failed)
    first, second = found["tokens"]
    assert (first["input_tokens"], first["cached_tokens"], first["output_tokens"]) == (30, 20, 2)
    assert (first["role"], first["state"], first["usage_estimated"]) == ("agent", "done", False)
    assert second["state"] == "failed"
    assert [line.get("error") or line["message"] for line in found["error"]] == [
        "timeout",
        "a conversation failed",
    ]
    assert [line["kind"] for line in found["conversations"]] == ["fault", "end"]
    assert found["app"][-2]["status"] == "failed"


@pytest.mark.parametrize(
    "what", ["\n", "\r\n", "\x00", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\ud800", '"}\n{"']
)
def test_nothing_that_is_said_forges_a_line_or_moves_a_cursor(tmp_path, what):
    (line, _) = logged(tmp_path, said(f"before{what}after"))["conversations"]
    assert line["text"] == f"before{what}after"
    (path,) = tmp_path.glob("conversations_*.jsonl")
    raw = path.read_text("utf-8")
    assert raw.count("\n") == 2
    assert not any(sign in raw for sign in "\r\x00\x1b\x7f\x85\u2028\u202e")


def test_no_secret_and_nothing_that_looks_like_one_is_in_any_file(tmp_path):
    own = 'my "own" secret'
    mac = "v1," + "A" * 43 + "="
    words = (own, KEY, "Bearer abcdefghijkl", "whsec_MDEyMzQ1Njc4OWFi", mac)
    events = [said(f"the key is {word}!") for word in words]
    logged(tmp_path, *events, call(ErrorClass.DENIED, f"bad key {own}"), secrets=(own, "short"))
    for path in tmp_path.iterdir():
        text = path.read_text()
        assert not any(json.dumps(word)[1:-1] in text for word in words), path.name
    (path,) = tmp_path.glob("conversations_*")
    assert path.read_text().count("the key is [redacted]!") == len(words)


@pytest.mark.parametrize(("content", "shown"), [("full", "Здравствуйте"), ("none", None)])
def test_what_was_said_is_logged_as_much_as_is_asked_for(tmp_path, content, shown):
    asked = Event(EventKind.SAID, "agent", say("assistant", "Здравствуйте"), data={"a": "Здравствуйте"})
    (line, _) = logged(tmp_path, asked, content=content)["conversations"]
    assert line["text"] == shown


def test_hashes_tell_equal_lines_from_others_and_say_nothing_else(tmp_path):
    lines = logged(tmp_path, said("Да"), said("Да"), said("Нет"), content="hash")["conversations"]
    assert lines[0]["text"] == lines[1]["text"] != lines[2]["text"]
    assert str(lines[0]["text"]).startswith("sha256:")
    calls = (ToolCall("1", "f", '{"phone": "+7900"}'),)
    message = say("assistant", "")
    event = Event(EventKind.SAID, "agent", type(message)("assistant", (), calls), data={"phone": "+7900"})
    logged(tmp_path / "b", event, content="hash")
    assert "+7900" not in "".join(path.read_text() for path in (tmp_path / "b").iterdir())


def test_a_file_that_is_full_is_put_aside_and_loses_no_line(tmp_path):
    lines = LogFolder(tmp_path, most_bytes=1000)
    for number in range(50):
        lines.write("app", "log", {"number": number})
    lines.close()
    files = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(files) > 3
    assert all(path.stat().st_size <= 1000 for path in files)
    numbers = [json.loads(line)["number"] for path in files for line in path.read_text().splitlines()]
    assert sorted(numbers) == list(range(50))


def test_a_disk_that_takes_nothing_ends_no_run(tmp_path):
    (tmp_path / "file").write_text("in the way")
    lines = LogFolder(tmp_path / "file" / "logs")
    lines.write("app", "log", {})
    assert lines.lost == 1


def test_the_programs_own_log_goes_into_the_app_log_and_errors_into_both(tmp_path):
    folder = LogFolder(tmp_path, [KEY])
    logger = logging.getLogger("assay.test")
    handler = LogHandler(folder)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        logger.info("hello\n%s", KEY)
        logger.error("broken")
    finally:
        logger.removeHandler(handler)
        folder.close()
    app, error = (next(tmp_path.glob(f"{name}_*")).read_text().splitlines() for name in ("app", "error"))
    assert [json.loads(line)["message"] for line in app] == ["hello\n[redacted]", "broken"]
    assert [json.loads(line)["level"] for line in error] == ["error"]


def test_an_error_is_logged_with_the_lines_that_it_came_from(tmp_path):
    folder = LogFolder(tmp_path, [KEY])
    logger = logging.getLogger("assay.test.trace")
    handler = LogHandler(folder)
    logger.addHandler(handler)
    try:
        int(KEY)
    except ValueError:
        logger.exception("broken")
    finally:
        logger.removeHandler(handler)
        folder.close()
    line = json.loads(next(tmp_path.glob("error_*")).read_text())
    assert "test_log_files.py" in line["trace"]
    assert line["trace"].endswith("'[redacted]'\n")


def test_a_new_day_whose_file_cannot_be_opened_closes_nobodys_file(tmp_path, monkeypatch):
    lines = LogFolder(tmp_path)
    lines.write("app", "log", {})
    monkeypatch.setattr("time.strftime", lambda *_: "20990101")
    (tmp_path / "app_20990101.log").mkdir()
    lines.write("app", "log", {})
    other = os.open(tmp_path, os.O_RDONLY)  # takes the number of the file that was closed
    lines.write("app", "log", {})
    assert os.fstat(other).st_ino == tmp_path.stat().st_ino
    os.close(other)
    lines.close()
    assert lines.lost == 2
