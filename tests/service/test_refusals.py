"""What the service refuses, each time as a problem document that says where and what to do."""

import http.client
import json

import pytest
from tests.service.serving import CLASSIC, Served, scenario

from assay.errors import UsageError
from assay.loading.batches import MOST_BYTES, MOST_DEPTH, too_deep
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.service.settings import Settings

NOT_THERE = "5b0af5ae-4206-5039-be7d-5aa0d7b20342"


def problem(answer, status: int):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"{not json", [""]),
        (b"\xff\xfe", [""]),
        (b"[]", [""]),
        (b"3", [""]),
        (b'{"scenarios": {}}', ["/scenarios"]),
        (b'{"scenarios": []}', ["/scenarios"]),
        (b'{"scenarios": [], "scenarios": []}', [""]),
        (b'{"scenarois": []}', ["/scenarois"]),
        (b'{"scenarios": [3], "repeats": 0}', ["/repeats"]),
        (b'[{"name": "x", "variables": {"X": 1e400}}]', [""]),
        (b'[{"name": "\\ud800", "variables": {}}]', [""]),
        (b'[{"name": "x", "variables": {"\\udfff": 1}}]', [""]),
        (b'[{"name": "x", "variables": {"CURRENT_DATE": "9999-12-31", "ORDER_GOAL": "[]"}}]', ["/0"]),
        (b"[" * 5000 + b"]" * 5000, [""]),
        (json.dumps([{"name": "x"}]).encode(), ["/0"]),
        (json.dumps([{"name": 3, "variables": {}}]).encode(), ["/0/name"]),
        (
            json.dumps({"scenarios": [{"name": "x", "variables": {}, "expcet": 1}]}).encode(),
            ["/scenarios/0/expcet"],
        ),
        (
            json.dumps(
                [
                    *CLASSIC,
                    scenario(-1),
                    scenario(1, ORDER_GOAL="[{"),
                    scenario(1, CURRENT_DATE="2025-06-08 Monday"),
                ]
            ).encode(),
            ["/1/variables/SEED", "/2/variables/ORDER_GOAL", "/3/variables/CURRENT_DATE"],
        ),
    ],
    ids=range(18),
)
def test_a_body_that_cannot_be_played_is_refused_whole_with_its_pointers(served, body, pointers):
    before = served.ask("GET", "/batches").json["total_count"]
    document = problem(served.ask("POST", "/batches", body), 400)
    assert [each["pointer"] for each in document["errors"]] == pointers
    assert all(each["detail"] and each["fix"] for each in document["errors"])
    assert served.ask("GET", "/batches").json["total_count"] == before


def test_the_valid_ones_are_played_where_that_is_asked_for(served):
    answer = served.ask("POST", "/batches?partial=1", [scenario(-1), *CLASSIC, {"name": "y"}])
    assert (answer.status, answer.json["total_scenarios"]) == (202, 1)
    assert [each["pointer"] for each in answer.json["refused"]] == ["/0/variables/SEED", "/2"]
    assert served.ended(answer.json["batch_id"])["completed_scenarios"] == 1
    problem(served.ask("POST", "/batches?partial=1", [scenario(-1)]), 400)


@pytest.mark.parametrize("rest", ["", "/results", "/results?format=csv", "/summary", "/cost"])
@pytest.mark.parametrize("batch", [NOT_THERE, "x", "..%2f", "%00", "a" * 3000])
def test_a_batch_that_is_not_there_is_not_found(served, batch, rest):
    problem(served.ask("GET", f"/batches/{batch}{rest}"), 404)


def test_no_batch_that_is_not_there_can_be_cancelled(served):
    problem(served.ask("DELETE", f"/batches/{NOT_THERE}"), 404)
    problem(served.ask("POST", f"/batches/{NOT_THERE}/cancel"), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/batches", 405), ("GET", "/nothing", 404), ("POST", "/health", 405)],
)
def test_what_no_endpoint_takes_is_a_problem_too(served, method, path, status):
    problem(served.ask(method, path), status)


def test_a_body_over_the_limit_is_refused(served):
    with_length = served.ask("POST", "/batches", b" " * (MOST_BYTES + 1))
    problem(with_length, 413)


def test_too_many_conversations_are_refused(served):
    body = {"scenarios": [{}] * 1001, "repeats": 100}
    assert "100000" in problem(served.ask("POST", "/batches", body), 413)["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
)
def test_only_plain_json_is_taken(served, headers):
    problem(served.ask("POST", "/batches", json.dumps(CLASSIC).encode(), **headers), 415)


@pytest.mark.parametrize(
    "query",
    [
        "csv_raw=yes",
        "bom=2",
        "format=xml",
        "format=",
        "order=random",
        "include=secrets",
        "format=json&order=INPUT",
    ],
)
def test_an_unknown_form_is_refused(served, query):
    batch = served.post(CLASSIC)
    problem(served.ask("GET", f"/batches/{batch}/results?{query}"), 422)
    served.ended(batch)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=9999", "offset=-1", "limit=99999999999999999999", "limit=x", "offset="]
)
def test_a_page_out_of_range_is_refused(served, query):
    document = problem(served.ask("GET", f"/batches?{query}"), 422)
    assert document["detail"].startswith(query.partition("=")[0])
    assert document["fix"]


def test_what_is_wrong_beside_the_scenarios_is_said_of_its_own_field(served):
    document = problem(served.ask("POST", "/batches", {"scenarios": CLASSIC, "repeats": 0}), 400)
    assert document["errors"][0]["detail"] == "repeats: Expected `int` >= 1"
    assert "Posting" in document["fix"]
    named = problem(served.ask("POST", "/batches", {"scenarios": CLASSIC, "repaets": 1}), 400)
    assert named["fix"] == "did you mean repeats?"


def test_a_webhook_that_the_service_does_not_list_is_refused(served):
    for url in (
        "https://169.254.169.254/",
        "http://127.0.0.1:1/",
        "https://hooks.example.evil/",
        "https://[",
        "",
    ):
        problem(served.ask("POST", "/batches", {"scenarios": CLASSIC, "webhook_url": url}), 403)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "[::1"]
)
def test_a_name_that_was_made_to_lead_here_is_not_answered(served, host):
    problem(served.ask("GET", "/health", host=host), 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:5000", "[::1]:80", "LOCALHOST"])
def test_the_names_of_this_machine_are_answered(served, host):
    assert served.ask("GET", "/health", host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_no_page_of_another_site_can_post(served, headers):
    problem(served.ask("POST", "/batches", CLASSIC, **headers), 403)
    answer = served.ask("GET", "/health", **headers)
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_its_own_can_post(served):
    own = {"origin": f"http://127.0.0.1:{served.port}", "sec_fetch_site": "same-origin"}
    served.ended(served.post(CLASSIC, **own))


def test_a_listed_origin_may_call_and_others_may_not(tmp_path):
    page = "https://pages.example"
    service = Served(tmp_path, "--agent", "emulated/agent", "--client", "rules", CORS_ORIGINS=page)
    service.begin()
    try:
        assert service.ask("GET", "/health", origin=page).headers["access-control-allow-origin"] == page
        other = service.ask("GET", "/health", origin="https://other.example")
        assert "access-control-allow-origin" not in other.headers
        asked = service.ask("OPTIONS", "/batches", origin=page, access_control_request_method="POST")
        assert asked.status in (200, 204)
    finally:
        service.close()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--agent", "openai/gpt-4o-mini"), "needs a key in OPENAI_API_KEY"),
        (("--agent", "emulated/nobody"), "knows no model 'nobody'"),
        (("--agent", "emulated/agent"), ""),
    ],
)
def test_what_every_batch_would_fail_of_is_said_at_the_start(tmp_path, flags, says):
    rest = ("--client", "rules", "--evaluator", "none")
    service = Served(tmp_path, *flags, *rest, OPENAI_API_KEY="")
    service.begin()
    healthy = service.ask("GET", "/health").status
    service.close()
    told = (tmp_path / "serve.log").read_text()
    assert healthy == 200
    assert ("no batch can be played" in told) == bool(says)
    assert says in told


def test_a_request_that_is_no_http_ends_no_service(served):
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/batches HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        connection.connect()
        connection.sock.sendall(raw)
        connection.sock.recv(4096)
        connection.close()
    assert served.ask("GET", "/health").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104  it is refused
        "::",
        "192.168.1.5",
        "example.com",
        "127.0.0.1.nip.example",
    ],
)
def test_no_address_that_others_can_reach_is_served(tmp_path, host):
    with pytest.raises(UsageError, match="can be reached by others"):
        Settings(
            plan=Plan(task="phone_orders", models=(ModelChoice("emulated/agent"),)),
            environment=Environment({}),
            store=tmp_path / "a.db",
            results=tmp_path,
            logs=tmp_path,
            host=host,
        )


def test_the_depth_of_a_body_is_counted_exactly():
    deep: list[object] = []
    for _ in range(MOST_DEPTH):
        deep = [deep]
    assert not too_deep(deep)
    assert too_deep([deep])
    assert too_deep({"a": deep})
