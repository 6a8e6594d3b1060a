"""Targets: what of a URL and its headers can be sent."""

from __future__ import annotations

import pytest

from assay.errors import UsageError
from assay.transport.sink import Origin, target


@pytest.mark.parametrize(
    ("url", "origin", "start", "host"),
    [
        ("https://api.x.com/v1/y", Origin("https", "api.x.com", 443), b"POST /v1/y HTTP/1.1", b"api.x.com"),
        ("http://h:81", Origin("http", "h", 81), b"POST / HTTP/1.1", b"h:81"),
        ("http://[::1]:80/a?b=c", Origin("http", "::1", 80), b"POST /a?b=c HTTP/1.1", b"[::1]"),
        ("https://bücher.example/", Origin("https", "xn--bcher-kva.example", 443), b"POST / ", b"xn--bcher"),
    ],
)
def test_a_url_becomes_an_origin_and_a_request_line(url, origin, start, host):
    made = target(url, {})
    assert made.origin == origin
    assert made.head.startswith(start)
    assert b"\r\nhost: " + host in made.head


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "x",
        "http://",
        "http://x:99999/",
        "http://u:p@x/",
        "http://x/a b",
        "http://x/\u0430",
        "http://[x/",
    ],
)
def test_an_address_that_cannot_be_sent_to_is_a_usage_error(url):
    with pytest.raises(UsageError):
        target(url, {})


@pytest.mark.parametrize(
    "headers", [{"a": "x\r\nb: c"}, {"a": "x\n"}, {"a:b": "c"}, {"": "x"}, {"a": "ключ"}, {"a\r\nb": "c"}]
)
def test_a_header_that_would_break_the_request_is_a_usage_error(headers):
    with pytest.raises(UsageError):
        target("http://x/", headers)
