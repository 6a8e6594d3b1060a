import json
from decimal import Decimal

import pytest

from assay.emulator.ledger import Ledger, Price, Record, records_of
from assay.errors import UsageError
from assay.keys import JSON

PRICE = Price(Decimal("0.15"), Decimal("0.60"))


def record(n: int = 1, **changes: JSON) -> Record:
    fields: dict[str, JSON] = {
        "n": n,
        "conn": 1,
        "arrived": 5,
        "request": "r",
        "prompt": "p",
        "model": "skill-1",
        "attempt": 1,
        "fault": "ok",
        "stream": False,
        "status": 200,
        "input": 1000,
        "output": 10,
        "may_bill": True,
        "truth": {"right": True, "indexed": True, "answer": "x"},
    }
    return Record(**{**fields, **changes})


def test_equal_requests_are_counted_as_attempts():
    ledger = Ledger()
    assert [ledger.attempt(r) for r in "aabca"] == [1, 2, 1, 1, 3]


@pytest.mark.parametrize("billing", ["arrival", "first_token", "completion"])
def test_tokens_are_charged_at_the_moment_that_the_rule_names(billing):
    ledger, moments = Ledger(price=PRICE, billing=billing), []
    one = record()
    ledger.add(one)
    moments.append(one.billed)
    for moment in ("headers_sent", "first_content", "done_sent"):
        ledger.stamp(one, moment)
        moments.append(one.billed)
    assert moments.index(True) == {"arrival": 0, "first_token": 2, "completion": 3}[billing]
    assert Decimal(one.view(PRICE)["price"]) == Decimal("0.000156")
    assert one.view(PRICE)["tokens"] == {"input": 1000, "output": 10}


def test_what_is_not_billed_costs_nothing():
    ledger, one = Ledger(price=PRICE), record(may_bill=False)
    ledger.add(one)
    ledger.stamp(one, "done_sent")
    assert one.view(PRICE)["tokens"] == {"input": 0, "output": 0}
    assert Decimal(one.view(PRICE)["price"]) == 0


def test_money_is_exact():
    assert Price(Decimal("0.1"), Decimal("0.2")).of(3, 1) == Decimal("0.0000005")


def test_the_first_time_of_a_moment_counts():
    ledger, one = Ledger(), record()
    ledger.add(one)
    ledger.stamp(one, "first_content")
    first = one.first_content
    ledger.stamp(one, "first_content")
    assert one.first_content == first > 0


def test_the_file_holds_a_line_for_each_moment_and_tells_the_same_records(tmp_path):
    path = tmp_path / "ledger.ndjson"
    ledger = Ledger(path, price=PRICE, billing="completion")
    one, two = record(), record(2, request="s", fault="s_cut")
    ledger.add(one)
    assert json.loads(path.read_bytes().splitlines()[-1])["moment"] == "arrived"
    ledger.add(two)
    for moment in ("headers_sent", "first_content", "done_sent"):
        ledger.stamp(one, moment)
    ledger.stamp(two, "client_gone")
    ledger.close()
    lines = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["moment"] for line in lines] == [
        "started",
        "arrived",
        "arrived",
        "headers_sent",
        "first_content",
        "done_sent",
        "client_gone",
    ]
    assert records_of(lines) == [json.loads(line) for line in ledger.lines()]


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    path = tmp_path / "ledger.ndjson"
    ledger = Ledger(path)
    ledger.add(record())
    ledger.add(record(2))
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert [each["n"] for each in records_of(path.read_bytes().splitlines(keepends=True))] == [1]


def test_a_server_started_again_goes_on_in_the_same_file(tmp_path):
    path = tmp_path / "ledger.ndjson"
    for _ in range(2):
        ledger = Ledger(path)
        ledger.add(record())
        ledger.close()
    assert len(records_of(path.read_bytes().splitlines(keepends=True))) == 2


def test_a_reset_forgets_records_and_attempts(tmp_path):
    ledger = Ledger(tmp_path / "l")
    ledger.attempt("r")
    ledger.add(record())
    ledger.reset()
    assert (ledger.attempt("r"), list(ledger.lines()), ledger.next_number) == (1, [], 1)
    assert records_of((tmp_path / "l").read_bytes().splitlines(keepends=True)) == []
    ledger.close()


def test_records_since_a_number_are_those_after_it():
    ledger = Ledger()
    for n in (1, 2, 3):
        ledger.add(record(n))
    assert [each.n for each in ledger.records(2)] == [3]
    assert [json.loads(line)["n"] for line in ledger.lines(1)] == [2, 3]


def test_counts_sum_over_all_records():
    ledger = Ledger(price=PRICE)
    for r in ("a", "b"):
        ledger.attempt(r)
    ledger.add(record())
    ledger.add(record(2, model="skill-0.5", truth={"right": False}, fault="500", status=500, may_bill=False))
    stats = ledger.stats()
    assert stats["requests"] == stats["distinct"] == 2
    assert (stats["right"], stats["wrong"], stats["billed"]) == (1, 1, 1)
    assert stats["by_fault"] == {"ok": 1, "500": 1}
    assert (stats["input_tokens"], stats["output_tokens"]) == (1000, 10)
    assert Decimal(stats["price"]) == Decimal("0.000156")


def test_a_ledger_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        Ledger(tmp_path / "no" / "such" / "folder")
