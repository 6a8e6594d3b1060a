import json
import re
import socket
from pathlib import Path

import pytest

from assay.emulator.faults import FAULTS, fault_named, markdown
from assay.emulator.index import Index, entry
from assay.errors import ErrorClass, UsageError
from assay.message import say

RIGHT = "Forty-two, that is 42 — сорок два."
BODY_ERRORS = {
    "400": (400, "invalid_value"),
    "400context": (400, "context_length_exceeded"),
    "401": (401, "invalid_api_key"),
    "403": (403, "access_denied"),
    "404": (404, "model_not_found"),
    "408": (408, "request_timeout"),
    "409": (409, "conflict"),
    "413": (413, "request_too_large"),
    "422": (422, "unprocessable"),
    "429": (429, "rate_limit_exceeded"),
    "429quota": (429, "insufficient_quota"),
    "429spend": (429, "spend_limit_reached"),
    "500": (500, "server_error"),
    "502": (502, "bad_gateway"),
    "503": (503, "overloaded"),
    "504": (504, "gateway_timeout"),
    "529": (529, "overloaded_error"),
    "200err": (200, "server_error"),
}


def test_every_fault_of_the_table_is_asserted_by_its_name_in_these_files():
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_emulator_fault*.py"))
    named = set(re.findall(r'"(\w+)(?:[:"])', texts)) | set(BODY_ERRORS)
    assert set(FAULTS) <= named


@pytest.mark.parametrize("stream", [False, True])
async def test_ok_is_the_right_reply(faulty, stream):
    got, record = await faulty("ok", stream=stream)
    assert (got.status, got.end, got.text) == (200, "complete", RIGHT)
    assert record.billed
    assert record.arrived <= record.headers_sent <= record.first_content <= record.done_sent


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", BODY_ERRORS)
async def test_an_error_answer_has_its_status_and_the_providers_shape(faulty, fault, stream):
    got, record = await faulty(fault, stream=stream)
    status, code = BODY_ERRORS[fault]
    assert (got.status, got.json["error"]["code"], record.status) == (status, code, status)
    assert not record.billed


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ("429", "retry-after", "1"),
        ("429:ra=7.5", "retry-after", "7.5"),
        ("429:ra=-1", "retry-after", "-1"),
        ("429:ra=1500,form=ms", "retry-after-ms", "1500"),
        ("429:form=bad", "retry-after", "soon"),
        ("429:form=none", "retry-after", None),
        ("429:ra=2,form=reset", "x-ratelimit-reset-requests", "2s"),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait_in_the_form_asked_for(faulty, fault, name, value):
    got, _ = await faulty(fault)
    assert got.status == 429
    assert got.headers.get(name) == value


@pytest.mark.parametrize("ra", ["3600", "1e308", "-1e308"])
async def test_a_rate_limit_can_name_a_date(faulty, ra):
    got, _ = await faulty(f"429:ra={ra},form=date")
    assert got.headers["retry-after"].endswith(" GMT")


@pytest.mark.parametrize(("fault", "end"), [("rst", "reset"), ("fin", "eof")])
async def test_a_connection_that_ends_without_an_answer(faulty, fault, end):
    got, record = await faulty(fault)
    assert (got.raw, got.end) == (b"", end)
    assert (record.status, record.headers_sent, record.billed) == (0, 0, False)


async def test_stalled_headers_never_come(faulty):
    got, record = await faulty("stall_headers")
    assert (got.raw, got.end, record.headers_sent) == (b"", "silence", 0)


async def test_stalled_headers_come_late_where_seconds_are_given(faulty):
    got, record = await faulty("stall_headers:s=0.05", stream=True, patience=5)
    assert got.text == RIGHT
    assert record.headers_sent - record.arrived >= 50_000_000


@pytest.mark.parametrize(("fault", "status"), [("200html", 200), ("502html", 502), ("503html", 503)])
async def test_a_page_comes_in_place_of_json(faulty, fault, status):
    got, _ = await faulty(fault)
    assert (got.status, got.headers["content-type"]) == (status, "text/html")
    assert got.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize(("fault", "status"), [("204", 204), ("200empty", 200)])
async def test_an_answer_without_a_body(faulty, fault, status):
    got, _ = await faulty(fault)
    assert (got.status, got.body, got.end) == (status, b"", "complete")


@pytest.mark.parametrize(
    ("fault", "status", "host"),
    [
        ("307", 307, "http://elsewhere.invalid"),
        ("308:host=other.invalid", 308, "http://other.invalid"),
        ("307same", 307, ""),
        ("308same", 308, ""),
    ],
)
async def test_a_redirect_names_the_same_place_or_another_host(faulty, fault, status, host):
    got, _ = await faulty(fault)
    assert (got.status, got.headers["location"]) == (status, host + "/v1/chat/completions")


async def test_a_body_without_choices_or_with_spoiled_json(faulty):
    empty, _ = await faulty("emptychoices")
    assert empty.json["choices"] == []
    none, _ = await faulty("nochoices")
    assert "choices" not in none.json
    cut, _ = await faulty("badjson")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|codec"):
        assert cut.json
    assert cut.end == "complete"
    spoiled, _ = await faulty("badutf8")
    with pytest.raises(UnicodeDecodeError):
        spoiled.body.decode()


async def test_a_truncated_body_is_shorter_than_announced(faulty):
    got, record = await faulty("trunc")
    assert got.end == "eof"
    assert 0 < len(got.body) < int(got.headers["content-length"])
    assert record.billed
    assert not record.done_sent


@pytest.mark.parametrize("stream", [False, True])
async def test_a_dripping_body_is_whole_and_as_slow_as_asked(faulty, stream):
    got, record = await faulty("drip:bps=20000", stream=stream, patience=5)
    assert got.text == RIGHT
    seconds = (record.done_sent - record.headers_sent) / 1e9
    payload = len(got.raw) - got.raw.index(b"\r\n\r\n") - 4
    assert payload / 20000 <= seconds + 0.1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_huge_answer_is_as_large_as_asked(faulty, stream):
    got, _ = await faulty("huge:mb=3", stream=stream, patience=5)
    assert 2.9 * 2**20 < len(got.raw) < 3.1 * 2**20
    assert got.end == "eof" if stream else got.end in ("complete", "eof")


async def test_a_huge_answer_waits_for_a_client_that_does_not_read(start, request_bytes, make, until):
    emulator = await start()
    with socket.create_connection(("127.0.0.1", int(emulator.root.rpartition(":")[2]))) as client:
        client.sendall(request_bytes(make(), headers={"x-fault": "huge:mb=200"}))
        await until(lambda: [each for each in emulator.ledger.records() if each.headers_sent])
        (connection,) = emulator._connections
        held = connection._transport.get_write_buffer_size()
    assert held < 2**20


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_can_be_missing(faulty, stream):
    got, _ = await faulty("nousage", stream=stream)
    assert got.text == RIGHT
    assert b'"prompt_tokens"' not in got.body


@pytest.mark.parametrize(("fault", "end"), [("s_cut", "eof"), ("s_rst", "reset"), ("s_stall", "silence")])
async def test_a_stream_breaks_off_after_some_tokens(faulty, fault, end):
    for after, text in ((0, ""), (2, RIGHT[:8]), (999, RIGHT[:32])):
        got, record = await faulty(f"{fault}:after={after}" if after != 2 else fault, stream=True)
        assert (got.end, got.text) == (end, text)
        assert "[DONE]" not in got.events
        assert not got.raw.endswith(b"0\r\n\r\n")
        assert record.billed
        assert not record.done_sent


async def test_a_stalled_stream_goes_on_where_seconds_are_given(faulty):
    got, record = await faulty("s_stall:s=0.05", stream=True, patience=5)
    assert (got.text, got.events[-1]) == (RIGHT, "[DONE]")
    assert record.done_sent - record.arrived >= 50_000_000


async def test_comments_keep_a_stream_open_without_content(faulty):
    got, _ = await faulty("s_keepalive:s=0.1,every=0.02", stream=True)
    assert (got.text, got.end) == (RIGHT[:8], "eof")
    assert got.body.count(b": keep-alive\n\n") == 5


async def test_a_stream_ends_cleanly_without_finish_or_end_mark(faulty):
    got, record = await faulty("s_nofinish", stream=True)
    assert (got.end, got.text, "[DONE]" in got.events) == ("complete", RIGHT, False)
    assert all(json.loads(data)["choices"][0]["finish_reason"] is None for data in got.events)
    assert not record.done_sent


async def test_a_stream_ends_with_an_end_mark_but_no_finish(faulty):
    got, _ = await faulty("s_nofinish_done", stream=True)
    assert (got.text, got.events[-1]) == (RIGHT, "[DONE]")
    assert b'"finish_reason":"stop"' not in got.body


@pytest.mark.parametrize(
    ("fault", "line"), [("s_err", b"\n\ndata: "), ("s_errevent", b"event: error\ndata: ")]
)
async def test_an_error_comes_within_the_stream(faulty, fault, line):
    got, _ = await faulty(fault, stream=True)
    assert got.body.count(line + b'{"error":{"type":"server_error"') == 1
    assert got.body.endswith(b'"message":"The model crashed."}}\n\n')
    assert got.end == "complete"


async def test_a_token_of_a_stream_can_be_spoiled(faulty):
    spoiled, _ = await faulty("s_badutf8", stream=True)
    with pytest.raises(UnicodeDecodeError):
        spoiled.body.decode()
    cut, _ = await faulty("s_badjson", stream=True)
    bad = []
    for data in cut.events[:-1]:
        try:
            json.loads(data)
        except json.JSONDecodeError:
            bad.append(data)
    assert len(bad) == 1


async def test_characters_are_split_over_chunks_but_the_text_is_whole(faulty):
    got, record = await faulty("s_splitutf8", stream=True)
    assert record.done_sent - record.arrived >= 1_000_000 * len(got.events)  # a write for every half
    assert (got.text, got.events[-1]) == (RIGHT, "[DONE]")
    body, broken = got.raw.partition(b"\r\n\r\n")[2], 0
    while body:
        size, _, rest = body.partition(b"\r\n")
        part, body = rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        try:
            part.decode()
        except UnicodeDecodeError:
            broken += 1
    assert broken > 4


async def test_framing_that_a_client_must_bear_keeps_the_text(faulty):
    crlf, _ = await faulty("s_crlf", stream=True)
    assert crlf.text == RIGHT
    assert b"\n" not in crlf.body.replace(b"\r\n", b"")
    nospace, _ = await faulty("s_nospace", stream=True)
    assert nospace.text == RIGHT
    assert b"data: " not in nospace.body


async def test_a_duplicated_token_changes_the_text_but_not_the_usage(faulty):
    got, record = await faulty("s_dup", stream=True)
    assert got.text == RIGHT[:4] + RIGHT
    assert json.loads(got.events[-2])["usage"]["completion_tokens"] == record.output == 9
    assert not FAULTS["s_dup"].detectable


async def test_a_token_comes_after_the_end_mark(faulty):
    got, _ = await faulty("s_after_done", stream=True)
    assert got.events.index("[DONE]") == len(got.events) - 2
    assert got.end == "complete"


async def test_the_body_stays_open_after_the_end_mark(faulty):
    got, record = await faulty("s_done_open", stream=True)
    assert (got.events[-1], got.end, got.text) == ("[DONE]", "silence", RIGHT)
    assert record.done_sent


async def test_a_stream_can_be_empty_a_page_or_plain_json(faulty):
    empty, _ = await faulty("s_empty", stream=True)
    assert (empty.status, empty.body, empty.end) == (200, b"", "complete")
    page, _ = await faulty("s_html", stream=True)
    assert page.headers["content-type"].startswith("text/event-stream")
    assert page.body.startswith(b"<!doctype")
    plain, _ = await faulty("s_json", stream=True)
    assert plain.headers["content-type"] == "application/json"
    assert plain.text == RIGHT


@pytest.mark.parametrize(
    "name", [name for name, fault in FAULTS.items() if fault.needs != "any" or fault.calls]
)
async def test_a_request_of_the_other_kind_is_answered_right(start, talk, make, name):
    emulator = await start()
    fault = FAULTS[name]
    got = await talk(emulator, make(stream=fault.needs == "body" or fault.calls), headers={"x-fault": name})
    assert got.text == RIGHT
    assert emulator.ledger.records()[0].fault == "ok"


QUICK = {
    "drip": "bps=9999999",
    "slow_headers": "bps=9999999",
    "s_keepalive": "s=0.05",
    "interim_flood": "mb=1",
    "huge": "mb=1",
    "gzbomb": "mb=1",
    "s_tiny": "n=100",
    "s_longline": "mb=1",
    "deep": "n=10",
    "idle_fin": "ms=1",
    "idle_rst": "ms=1",
}
SILENT = {"stall_headers"}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_no_fault_breaks_on_a_short_or_an_empty_answer(start, talk, make, name, stream):
    asked = [say("user", "short"), say("user", "")]
    emulator = await start(Index(filter(None, [entry(asked[:1], "7")])))
    fault = f"{name}:{QUICK[name]}" if name in QUICK else name
    for model, content in (("skill-1", "short"), ("echo", "")):
        body = make(model, content, stream=stream)
        got = await talk(emulator, body, headers={"x-fault": fault}, patience=0.4)
        assert (got.raw == b"" and got.end == "silence") == (name in SILENT)
    assert len(emulator.ledger.records()) == 2


def test_the_table_names_classes_of_the_one_vocabulary_and_bills_only_what_was_generated():
    for fault in FAULTS.values():
        assert fault.error is None or isinstance(fault.error, ErrorClass)
        assert not (fault.billed and fault.group == "status")
    text = markdown()
    assert text.count("\n") == len(FAULTS) + 2
    assert all(f"| `{name}` | " in text for name in FAULTS)
    assert len({line.count("|") for line in text.splitlines()}) == 1


def test_a_fault_is_read_with_its_parameters_and_written_again():
    assert fault_named("429:ra=2;form=ms").text == "429:ra=2,form=ms"
    assert fault_named(" s_cut:after=2 ").text == "s_cut"
    assert fault_named("500:times=1").on_attempt(1)
    assert not fault_named("500:times=1").on_attempt(2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bang", "unknown fault"),
        ("", "unknown fault"),
        ("500:ra=1", "no parameter"),
        ("s_cut:after=-1", "cannot be"),
        ("s_cut:after=x", "cannot be"),
        ("s_stall:s=nan", "cannot be"),
        ("s_stall:s=1e9", "cannot be"),
        ("429:form=soon", "cannot be"),
        ("429:ra=inf", "cannot be"),
        ("307:host=a/b", "cannot be"),
    ],
)
def test_a_fault_that_cannot_be_is_an_error_with_a_remedy(text, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        fault_named(text)
    assert caught.value.fix
