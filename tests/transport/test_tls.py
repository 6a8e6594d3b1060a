"""TLS over the stamped socket, against a server with a certificate made on the spot."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess

import pytest

from assay.errors import CallError, ErrorClass
from assay.transport.client import Client
from assay.transport.sink import target

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the openssl command to make a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *(str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
async def secure_port(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                if b"close" in head:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_requests_and_answers_pass_through_tls_on_a_kept_connection(
    certificate, secure_port, make_sink, stamping
):
    client = Client(tls=ssl.create_default_context(cafile=certificate / "cert.pem"))
    for n, body in enumerate([b"first", b"x" * 3_000_000, b"third"]):
        sink = make_sink()
        instants = await client.send(target(f"https://localhost:{secure_port}/", {}), body, sink)
        assert sink.body == body
        assert (instants.reused, instants.clock) == (n > 0, "kernel")
    await client.send(target(f"https://localhost:{secure_port}/close", {}), b"", make_sink())
    while client.connections:  # its close is noticed while it lies idle
        await asyncio.sleep(0)
    await client.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_that_is_not_trusted_or_not_the_hosts_is_class_connect(
    certificate, secure_port, sink, host
):
    trusted = ssl.create_default_context(cafile=certificate / "cert.pem") if host == "127.0.0.1" else None
    client = Client(tls=trusted)
    with pytest.raises(CallError) as caught:
        await client.send(target(f"https://{host}:{secure_port}/", {}), b"", sink)
    assert caught.value.error is ErrorClass.CONNECT
    assert "certificate" in caught.value.detail.lower()
    assert client.connections == 0
    await client.close()


async def test_a_plain_server_where_tls_was_asked_for_is_class_connect(server, client, sink):
    async def handler(peer):
        await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server.handler = handler
    with pytest.raises(CallError) as caught:
        await client.send(target(f"https://127.0.0.1:{server.port}/", {}), b"", sink)
    assert caught.value.error is ErrorClass.CONNECT
