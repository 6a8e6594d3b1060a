"""Records what both real servers answer, byte for byte, into tests/models/recordings/.

    python benchmarks/record_real.py

A recording is named openai_SERVER_WHAT, with the status before the ending where it is not 200: the
decoded body of one response, chunked framing taken off. The tests of the decoders read them.
"""

from __future__ import annotations

import http.client
import json
import sys
from urllib.parse import urlsplit

from assay.models.openai_request import RequestWriter
from assay.ports import Capabilities
from harness import ROOT
from real_requests import KINDS
from real_servers import NAME, SERVERS, Server

RECORDINGS = ROOT / "tests" / "models" / "recordings"
WANTED = {
    "text": ("text", True),
    "tools": ("tool call", True),
    "thoughts": ("thoughts", True),
    "schema": ("JSON Schema", True),
    "length": ("cut by length", True),
    "whole-text": ("text", False),
    "whole-tools": ("tool call", False),
    "whole-thoughts": ("thoughts", False),
    "bad-schema": ("schema that is none", False),
    "bad-schema-streamed": ("schema that is none", True),
    "too-long": ("longer than the context", False),
    "unknown-model": ("unknown model", True),
    "no-message": ("no message", True),
}
"""Names of recordings, each a kind of request and whether it is streamed."""


def answered(server: Server, body: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of one answer."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    connection.request("POST", f"{place.path}/chat/completions", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers.get_content_type(), content


def main() -> int:
    kinds = {kind.name: kind for kind in KINDS}
    for name, start in SERVERS.items():
        for old in RECORDINGS.glob(f"openai_{name}_*"):
            old.unlink()
        with start() as server:
            for what, (kind_name, stream) in WANTED.items():
                kind = kinds[kind_name]
                body = RequestWriter(kind.model or NAME, Capabilities()).write(kind.request(stream))
                status, content_type, content = answered(server, body)
                ending = {"text/event-stream": "sse", "application/json": "json"}.get(content_type, "txt")
                shown = "" if status == 200 else f".{status}"
                path = RECORDINGS / f"openai_{name}_{what}{shown}.{ending}"
                path.write_bytes(content)
                print(f"{path.name:<48} {len(content):6} bytes", json.dumps(content_type))
    return 0


if __name__ == "__main__":
    sys.exit(main())
