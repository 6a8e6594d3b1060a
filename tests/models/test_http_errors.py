"""HTTP statuses and error bodies: the class of each."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ErrorClass
from assay.models.http_errors import http_error, provider_text, retry_after

STATUSES = {
    ErrorClass.PROTOCOL: [101, 204, 205],
    ErrorClass.TIMEOUT: [408],
    ErrorClass.RATE_LIMITED: [429],
    ErrorClass.OVERLOADED: [500, 502, 503, 504, 529],
    ErrorClass.DENIED: [401, 402, 403],
    ErrorClass.REJECTED: [301, 302, 303, 304, 307, 308, 400, 404, 405, 409, 413, 415, 418, 422, 431, 451],
}


@pytest.mark.parametrize(("error", "status"), [(e, s) for e, statuses in STATUSES.items() for s in statuses])
def test_each_status_has_its_class(error, status):
    made = http_error(status, {}, b'{"error": {"message": "words"}}')
    assert (made.error, made.status, made.detail) == (error, status, f"HTTP {status}: words")


def body(message="no", code=None, kind=None) -> bytes:
    return json.dumps({"error": {"message": message, "code": code, "type": kind}}).encode()


@pytest.mark.parametrize(
    ("status", "raw", "error"),
    [
        (429, body("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), "denied"),
        (429, body("spend cap", "billing_hard_limit_reached"), "denied"),
        (429, body("Rate limit reached for requests", "rate_limit_exceeded", "requests"), "rate_limited"),
        (404, body("The model `x` does not exist", "model_not_found"), "denied"),
        (
            404,
            b'{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError"}',
            "denied",
        ),
        (404, body('model "x" not found, try pulling it first'), "denied"),
        (404, b'{"detail":"Not Found"}', "rejected"),
        (400, b"{\"detail\":\"Server is pinned to 'tiny'; requested 'nobody'.\"}", "denied"),
        (400, body("bad", "model_not_found"), "denied"),
        (400, body("too long", "context_length_exceeded"), "context_overflow"),
        (400, body("This model's maximum context length is 4096 tokens. However, you"), "context_overflow"),
        (
            400,
            body("the request exceeds the available context size", None, "exceed_context_size_error"),
            "context_overflow",
        ),
        (413, body("prompt is too long: 9 tokens"), "context_overflow"),
        (400, body("temperature must be at most 2", "invalid_value"), "rejected"),
        (429, body("Your credit balance is too low", None, "invalid_request_error"), "denied"),
        (429, b'{"error": "You exceeded your current quota."}', "denied"),
        (429, b'{"error": "The spend limit is reached."}', "denied"),
        (429, b'{"error": {"message": "You exceeded your current quota", "code": "tpm"}}', "rate_limited"),
        (402, body("pay", None, "billing_error"), "denied"),
        (429, body("pay", None, "billing_error"), "denied"),
        (400, b'{"error": "the input length exceeds the context length"}', "context_overflow"),
        (400, b'{"error": "prompt too long; exceeded max context length by 9 tokens"}', "context_overflow"),
        (503, body("model is loading"), "overloaded"),
        (502, b"<html>Bad gateway</html>", "overloaded"),
    ],
)
def test_the_providers_code_says_more_than_the_status(status, raw, error):
    assert http_error(status, {}, raw).error == error


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"2"}, 2.0),
        ({b"retry-after": b"0.5"}, 0.5),
        ({b"retry-after-ms": b"250", b"retry-after": b"9"}, 0.25),
        ({b"retry-after-ms": b"soon", b"retry-after": b"9"}, 9.0),
        ({b"retry-after": b"3600"}, 3600.0),
        ({b"retry-after": b"1e308"}, 1e308),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"-5"}, None),
        ({b"retry-after": b"inf"}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"\xff"}, None),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:28:10 GMT", b"date": b"Wed, 21 Oct 2015 07:28:00 GMT"}, 10.0),
        ({}, None),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read_in_all_its_forms(headers, seconds):
    assert retry_after(headers) == seconds
    assert http_error(429, headers, b"").retry_after == seconds


def test_a_date_without_the_servers_clock_is_taken_against_ours():
    wait = retry_after({b"retry-after": formatdate(time.time() + 60, usegmt=True).encode()})
    assert wait is not None
    assert 57 < wait <= 61


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"error": "words"}', "words"),
        (b'[{"error": {"message": "in a list"}}]', "in a list"),
        (b'{"detail": "from a framework"}', "from a framework"),
        (b'{"message": {"deep": 1}}', '{"message":{"deep":1}}'),
        (b"plain   \n words", "plain words"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_the_providers_text_is_found_where_it_stands(raw, text):
    assert provider_text(raw)[1] == text


@given(st.integers(100, 599).filter(lambda s: s != 200), st.binary(max_size=200))
def test_no_body_brings_anything_but_an_error_of_bounded_size(status, raw):
    made = http_error(status, {b"retry-after": raw}, raw * 1000)
    assert len(made.detail) <= 500
    assert len(made.raw) <= 64 * 1024


def test_a_deeply_nested_body_is_text():
    assert http_error(400, {}, b"[" * 200_000).error is ErrorClass.REJECTED
