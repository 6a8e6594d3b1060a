import json

import pytest


def hook(fault=""):
    return {"path": f"/f/{fault}/hook" if fault else "/hook"}


async def test_a_webhook_is_taken_and_stands_in_the_ledger(start, talk):
    emulator = await start()
    got = await talk(emulator, b'{"type": "session.init", "case_id": "7"}', **hook())
    assert (got.status, got.json) == (200, {"ok": True})
    (record,) = emulator.ledger.records()
    assert record.truth == {"received": {"type": "session.init", "case_id": "7"}}
    assert (record.model, record.input, record.output) == ("hook", 0, 0)


async def test_the_answer_is_the_one_that_was_set(start, talk):
    emulator = await start(hook_reply={"variables": {"CITY": "Omsk"}})
    got = await talk(emulator, b"{}", **hook())
    assert got.json == {"variables": {"CITY": "Omsk"}}


@pytest.mark.parametrize("body", [b"", b"[1]", b'"text"', b"{", b"[" * 100_000])
async def test_what_is_no_json_object_is_refused(start, talk, body):
    emulator = await start()
    got = await talk(emulator, body, **hook())
    assert (got.status, got.json["error"]["code"]) == (400, "invalid_json")


async def test_it_fails_so_often_and_then_takes_it(start, talk):
    emulator = await start()
    got = [await talk(emulator, b'{"id": 1}', **hook("500:times=2")) for _ in range(3)]
    assert [each.status for each in got] == [500, 500, 200]
    other = await talk(emulator, b'{"id": 2}', **hook("500:times=2"))
    assert other.status == 500


async def test_it_is_slow_hangs_resets_or_redirects(start, talk):
    emulator = await start()
    slow = await talk(emulator, b"{}", patience=5, **hook("stall_headers:s=0.1"))
    (record,) = emulator.ledger.records()
    assert (slow.status, record.headers_sent - record.arrived >= 1e8) == (200, True)
    assert (await talk(emulator, b"{}", **hook("stall_headers"))).end == "silence"
    assert (await talk(emulator, b"{}", **hook("rst"))).end == "reset"
    sent = await talk(emulator, b"{}", **hook("307"))
    assert (sent.status, sent.headers["location"]) == (307, "http://elsewhere.invalid/v1/hook")
    big = await talk(emulator, b"{}", patience=5, **hook("huge:mb=1"))
    assert len(big.raw) > 1 << 20


async def test_what_it_received_can_be_read_over_the_wire(start, talk):
    emulator = await start()
    await talk(emulator, b'{"id": "a"}', **hook())
    got = await talk(emulator, path="/ledger", method="GET")
    assert json.loads(got.body)["truth"] == {"received": {"id": "a"}}
