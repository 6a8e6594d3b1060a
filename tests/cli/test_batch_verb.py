"""`assay batch` against what is no service, and what a person is told of a part of a batch."""

import http.server
import json
import threading
from contextlib import contextmanager
from typing import ClassVar

import pytest

from assay.cli import batch
from assay.cli.api import NoService

STANDING = {
    "batch_id": "b",
    "status": "completed",
    "progress": 100.0,
    "total_scenarios": 1,
    "completed_scenarios": 1,
    "failed_scenarios": 0,
}


@contextmanager
def answering(*documents):
    """A server that gives these answers in order, the last for ever."""
    left = list(documents)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            document = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def do_DELETE(self):
            self.do_GET()

        def log_message(self, *_):
            """Says nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("answer", [{}, [], 3, {"batch_id": "b"}])
@pytest.mark.parametrize("words", [("submit", "s.json"), ("status", "b"), ("cancel", "b"), ("list",)])
def test_what_is_no_service_of_batches_is_said_to_be_none(assay, words, answer):
    assay.write("s.json", "[]")
    with answering(answer) as url:
        typed = assay("batch", *words, "--api-url", url)
    assert typed.code == 3
    assert "is no service of batches" in typed.err
    assert "Traceback" not in typed.err


@pytest.mark.parametrize("more", [(), ("--wait",)])
def test_what_was_left_out_of_a_batch_is_told(assay, more):
    assay.write("s.json", "[]")
    refused = [{"pointer": "/0", "detail": "is \x1b[2J no object", "fix": "mend it"}]
    launched = {"batch_id": "b", "status": "launched", "total_scenarios": 1, "refused": refused}
    with answering(launched, STANDING) as url:
        typed = assay("batch", "submit", "s.json", "--partial", *more, "--api-url", url)
    assert typed.code == 0
    assert "left out: /0: is \\x1b[2J no object" in typed.err


def test_a_classic_service_is_understood_too(assay):
    assay.write("s.json", "[]")
    launched = {"batch_id": "b", "status": "launched", "total_scenarios": 1}
    with answering(launched, STANDING) as url:
        typed = assay("batch", "submit", "s.json", "--wait", "--api-url", url)
    assert (typed.code, typed.out) == (0, "b completed · 100.0 % · 1 completed, 0 failed of 1\n")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"total_scenarios": 20, "completed_scenarios": 19, "failed_scenarios": 1}, 0),
        ({"total_scenarios": 19, "completed_scenarios": 18, "failed_scenarios": 1}, 4),
        ({"status": "failed"}, 3),
        ({"status": "cancelled"}, 3),
    ],
)
def test_the_exit_code_of_a_batch_is_that_of_a_run(assay, change, code):
    assay.write("s.json", "[]")
    launched = {"batch_id": "b", "status": "launched", "total_scenarios": 1}
    with answering(launched, {**STANDING, **change}) as url:
        assert assay("batch", "submit", "s.json", "--wait", "--api-url", url).code == code


def test_a_service_that_is_started_anew_is_waited_for(monkeypatch):
    monkeypatch.setattr(batch, "POLL_SECONDS", 0.0)

    class Restarting:
        answers: ClassVar = [
            NoService("gone", fix="wait"),
            {**STANDING, "status": "running"},
            NoService("x", fix="y"),
            STANDING,
        ]

        def json(self, method, path, fields):
            del method, path, fields
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    assert batch._await(Restarting(), "b", quiet=True) == STANDING
    monkeypatch.setattr(batch, "RESTART_SECONDS", -1.0)
    Restarting.answers = [NoService("gone for good", fix="wait")]
    with pytest.raises(NoService, match="gone for good"):
        batch._await(Restarting(), "b", quiet=True)


def test_whoever_stops_waiting_is_told_that_the_batch_goes_on(assay, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    assay.write("s.json", "[]")
    launched = {"batch_id": "b", "status": "launched", "total_scenarios": 1}
    with answering(launched, {**STANDING, "status": "running"}) as url:
        typed = assay("batch", "submit", "s.json", "--wait", "--api-url", url)
    assert typed.code == 130
    assert "b goes on; see: assay batch status b" in typed.err
