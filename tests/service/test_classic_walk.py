"""The walk that users of the classic service know: every endpoint, field by field, by HTTP and by command."""

import csv
import gzip
import io
import json
import re
import subprocess
import uuid
from decimal import Decimal

import jsonschema_rs
import pytest
from tests.service.serving import ASSAY, CLASSIC, scenario

STATUS = (
    "batch_id",
    "status",
    "progress",
    "total_scenarios",
    "completed_scenarios",
    "failed_scenarios",
    "created_at",
    "started_at",
    "completed_at",
)
RESULT = ("session_id", "scenario", "status", "score", "comment", "total_turns", "duration_seconds")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


@pytest.fixture(scope="module")
def batch(served):
    """A batch of five that has ended."""
    launched = served.ask("POST", "/batches", {"scenarios": [scenario(n) for n in range(5)]})
    assert launched.status == 202
    assert launched.json["status"] == "launched"
    assert launched.json["total_scenarios"] == 5
    assert str(uuid.UUID(launched.json["batch_id"])) == launched.json["batch_id"]
    served.ended(launched.json["batch_id"])
    return launched.json["batch_id"]


def test_the_health_says_who_answers(served):
    answer = served.ask("GET", "/health")
    assert answer.status == 200
    assert answer.json == {"status": "healthy", "service": "assay", "version": answer.json["version"]}


def test_a_bare_list_is_a_batch_too(served):
    standing = served.ended(served.post(CLASSIC))
    assert (standing["status"], standing["completed_scenarios"]) == ("completed", 1)


def test_the_status_has_every_classic_field(served, batch):
    standing = served.ask("GET", f"/batches/{batch}").json
    assert tuple(name for name in standing if name in STATUS) == STATUS
    assert standing["status"] == standing["outcome"] == "completed"
    assert standing["progress"] == 100
    assert standing["total_scenarios"] == standing["completed_scenarios"] == 5
    assert standing["failed_scenarios"] == 0
    instants = [standing[name] for name in ("created_at", "started_at", "completed_at")]
    assert instants == sorted(instants)
    assert all(INSTANT.match(instant) for instant in instants)


def test_the_results_are_the_classic_object(served, batch):
    found = served.ask("GET", f"/batches/{batch}/results").json
    assert set(found) == {"batch_id", "results", "total_results"}
    assert (found["batch_id"], found["total_results"]) == (batch, 5)
    for row in found["results"]:
        assert tuple(row)[:7] == RESULT
        assert row["status"] == "completed"
        assert row["score"] in (1, 2, 3)
        assert re.search("[а-я]", row["comment"])
        assert row["total_turns"] > 2
        assert row["duration_seconds"] > 0


def test_all_three_forms_carry_the_same_conversations(served, batch):
    path = f"/batches/{batch}/results?format="
    by_json = served.ask("GET", path + "json").json["results"]
    lines = served.ask("GET", path + "ndjson")
    by_line = [json.loads(line, parse_float=Decimal) for line in lines.body.decode().splitlines()]
    table = served.ask("GET", path + "csv")
    assert table.body.count(b"\r\n") == 6
    rows = list(csv.DictReader(io.StringIO(table.body.decode(), newline=""), strict=True))
    assert by_json == by_line
    assert [row["session_id"] for row in by_json] == [row["session_id"] for row in rows]
    for row, cells in zip(by_json, rows, strict=True):
        assert tuple(cells)[:8] == (*RESULT, "prompt_version")
        assert cells["scenario"] == "'=каждый день"  # no spreadsheet runs it
        assert row["scenario"] == "=каждый день"
        assert cells["comment"] == row["comment"]
        assert Decimal(cells["cost_usd"]) == row["cost_usd"]
        assert int(cells["tags"]) == len(row["tags"])
    assert "=каждый день" in served.ask("GET", path + "csv&csv_raw=1").body.decode()
    assert served.ask("GET", path + "csv&bom=1").body.startswith(b"\xef\xbb\xbfsession_id")


def test_the_summary_has_every_classic_field(served, batch):
    found = served.ask("GET", f"/batches/{batch}/summary").json
    grades = [row["score"] for row in served.ask("GET", f"/batches/{batch}/results").json["results"]]
    assert found["total_scenarios"] == found["successful_scenarios"] == 5
    assert (found["failed_scenarios"], found["success_rate"]) == (0, 1)
    assert set(found["score_statistics"]) >= {"mean", "median", "std", "min", "max"}
    assert found["score_statistics"]["mean"] == sum(grades) / 5
    assert found["score_distribution"]["score_3"] == grades.count(3)
    assert found["score_statistics"]["n"] == found["scored"] == 5


def test_the_cost_is_the_emulators_invoice_to_the_last_digit(served, batch, emulated):
    found = served.ask("GET", f"/batches/{batch}/cost").json
    assert tuple(found)[:5] == (
        "batch_id",
        "total_cost_usd",
        "total_tokens",
        "total_requests",
        "average_cost_per_request",
    )
    rows = served.ask("GET", f"/batches/{batch}/results").json["results"]
    assert found["total_cost_usd"] == sum(row["cost_usd"] for row in rows)
    for parts in ("by_role", "by_model"):
        assert found["total_cost_usd"] == sum(part["cost_usd"] for part in found[parts].values())
        assert found["total_requests"] == sum(part["requests"] for part in found[parts].values())
    assert set(found["by_role"]) == {"agent", "client", "judge"}
    assert (found["unpriced_calls"], found["unknown_calls"]) == (0, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["price_table_date"])
    every = [b["batch_id"] for b in served.ask("GET", "/batches").json["batches"]]
    costs = [served.ask("GET", f"/batches/{one}/cost").json for one in every]
    billed = emulated.records()
    assert sum(cost["total_cost_usd"] for cost in costs) == sum(Decimal(row["price"]) for row in billed)
    assert sum(cost["total_requests"] for cost in costs) == len(billed)


def test_the_list_names_every_batch_newest_first(served, batch):
    found = served.ask("GET", "/batches").json
    assert found["total_count"] == len(found["batches"])
    created = [each["created_at"] for each in found["batches"]]
    assert created == sorted(created, reverse=True)
    assert {"batch_id", "status", "total_scenarios", "created_at"} <= set(found["batches"][0])
    assert batch in [each["batch_id"] for each in found["batches"]]
    assert len(served.ask("GET", "/batches?limit=1").json["batches"]) == 1


def test_the_input_order_is_that_of_the_body(served):
    many = [{**scenario(n), "name": f"s{n}"} for n in range(12)]
    batch = served.post({"scenarios": many, "repeats": 2})
    standing = served.ended(batch)
    assert (standing["total_scenarios"], standing["total_trials"]) == (12, 24)
    assert (standing["completed_scenarios"], standing["completed"]) == (12, 24)
    found = served.ask("GET", f"/batches/{batch}/results?order=input").json["results"]
    assert [(row["scenario"], row["repeat"]) for row in found] == [
        (f"s{n}", repeat) for n in range(12) for repeat in (0, 1)
    ]


def test_transcripts_come_apart_a_line_an_event(served, batch):
    answer = served.ask("GET", f"/batches/{batch}/results?include=transcript")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert {line["session_id"] for line in lines} == {
        row["session_id"] for row in served.ask("GET", f"/batches/{batch}/results").json["results"]
    }
    assert {"prompt", "said", "tool_call", "tool_result"} <= {line["event"]["kind"] for line in lines}


def test_results_are_packed_for_whoever_says_that_it_unpacks(served, batch):
    plain = served.ask("GET", f"/batches/{batch}/results?format=csv")
    packed = served.ask("GET", f"/batches/{batch}/results?format=csv", accept_encoding="br, gzip;q=0.5")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    for asked, is_packed in (("gzip;q=0", False), ("gzip;q=0, *", False), ("*;q=0, gzip", True), ("*", True)):
        answer = served.ask("GET", f"/batches/{batch}/results?format=csv", accept_encoding=asked)
        assert ("content-encoding" in answer.headers) is is_packed, asked


def test_a_batch_leaves_its_files(served, batch):
    names = sorted(path.name for path in (served.folder / "results").glob(f"batch_{batch}_*"))
    assert [re.sub(r"\d{8}_\d{6}", "T", name) for name in names] == [
        f"batch_{batch}_T.{ending}" for ending in ("csv", "json", "ndjson")
    ]
    whole = json.loads((served.folder / "results" / names[1]).read_text(), parse_float=Decimal)
    assert whole == served.ask("GET", f"/batches/{batch}/results").json
    logs = [path.name for path in (served.folder / "logs").iterdir()]
    assert {name.partition("_")[0] for name in logs} >= {"app", "tokens", "conversations"}


def test_the_api_describes_itself(served):
    answer = served.ask("GET", "/openapi.json")
    assert answer.json["openapi"].startswith("3.1")
    assert set(answer.json["paths"]) == {
        "/api/health",
        "/api/batches",
        "/api/batches/{id}",
        "/api/batches/{id}/cancel",
        "/api/batches/{id}/cost",
        "/api/batches/{id}/results",
        "/api/batches/{id}/summary",
    }
    posting = answer.json["paths"]["/api/batches"]["post"]
    assert posting["requestBody"]["required"]
    assert {"202", "400", "413", "429"} <= set(posting["responses"])


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/batches",
        "/batches/{id}",
        "/batches/{id}/results",
        "/batches/{id}/summary",
        "/batches/{id}/cost",
    ],
)
def test_every_answer_is_of_the_form_that_is_described(served, batch, path):
    described = json.loads(served.ask("GET", "/openapi.json").body)
    answers = described["paths"][f"/api{path}"]["get"]["responses"]
    form = {**answers["200"]["content"]["application/json"]["schema"], "components": described["components"]}
    answer = json.loads(served.ask("GET", path.format(id=batch)).body)
    assert [error.message for error in jsonschema_rs.validator_for(form).iter_errors(answer)] == []


def told(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([ASSAY, "batch", *words], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == code, done.stderr
    return done


def test_the_same_walk_by_command(served, tmp_path):
    where = ("--api-url", served.url)
    file = tmp_path / "scenarios.json"
    file.write_text(json.dumps(CLASSIC, ensure_ascii=False))
    batch = told("submit", str(file), "--wait", *where).stdout.split()[0]
    assert "completed · 100.0 % · 1 completed, 0 failed of 1" in told("status", batch, *where).stdout
    assert json.loads(told("status", batch, "--json", *where).stdout)["progress"] == 100
    for ending in ("csv", "ndjson", "json"):
        out = tmp_path / f"out.{ending}"
        told("fetch", batch, "--output", str(out), *where)
        assert out.read_bytes() == served.ask("GET", f"/batches/{batch}/results?format={ending}").body
    assert told("fetch", batch, "--format", "ndjson", *where).stdout == (tmp_path / "out.ndjson").read_text()
    assert batch in told("list", *where).stdout
    assert "completed" in told("cancel", batch, *where).stdout
    file.write_text('[{"name": "x", "variables": {"SEED": -1}}]')
    refused = told("submit", str(file), *where, code=2).stderr
    assert "/0/variables/SEED" in refused
    assert "no batch" in told("status", "none", *where, code=2).stderr
    assert "assay serve" in told("status", "x", "--api-url", "http://127.0.0.1:9", code=2).stderr


def test_scenarios_have_repeats_of_their_own_and_criteria_for_the_evaluator(served):
    criteria = [{"id": "number", "about": "назван номер заказа", "weight": 2}]
    asked = {**scenario(91, "asked"), "repeats": 3, "expect": {"judge": {"criteria": criteria}}}
    grid = {**scenario(92, "grid"), "matrix": {"PATIENCE": [0, 3], "AMB_LEVEL": [0, 1], "sample": 2}}
    answer = served.ask("POST", "/batches", {"scenarios": [asked, grid], "repeats": 2})
    assert answer.json["total_scenarios"] == 3
    batch = answer.json["batch_id"]
    standing = served.ended(batch)
    assert (standing["total_scenarios"], standing["completed_scenarios"]) == (3, 3)
    assert (standing["total_trials"], standing["completed"]) == (10, 10)
    rows = served.ask("GET", f"/batches/{batch}/results?order=input").json["results"]
    assert [row["repeat"] for row in rows] == [0, 1, 2, 3, 4, 5, 0, 1, 0, 1]
    for row in rows:
        own = row["scenario"] == "asked"
        assert row["score"] in (1, 3)
        assert row["criteria"] == ((row["score"] == 3) if own else None)
        assert ("judge_criteria" in row["scores"]) is own
    found = served.ask("GET", f"/batches/{batch}/summary").json
    assert found["total_scenarios"] == found["successful_scenarios"] == 3
    assert found["criteria"]["n"] == 6
    assert (
        next(b for b in served.ask("GET", "/batches").json["batches"] if b["batch_id"] == batch)[
            "total_scenarios"
        ]
        == 3
    )
