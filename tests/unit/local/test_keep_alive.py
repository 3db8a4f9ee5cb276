"""The emulator's HTTP: one connection for many requests, whatever their bodies."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pytest
from werkzeug.serving import make_server

from graphjobs.local.emulator import make_app, make_emulator
from graphjobs.local.keep_alive import KeepAlive
from graphjobs.local.resources import CREDENTIALS


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Tells what it was asked; reads no body unless the path says so."""
    path = environ["PATH_INFO"]
    if path == "/broken":
        raise ValueError("made up")
    if path == "/nothing":
        start_response("204 No Content", [])
        return []
    body = environ["wsgi.input"].read() if path == "/echo" else path.encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body[:3], body[3:]]


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=KeepAlive)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("GET", "/a", None, 200, b"/a"),
        ("POST", "/echo", b"x" * 100_000, 200, b"x" * 100_000),
        ("POST", "/unread", b"GET /b HTTP/1.1\r\n\r\n", 200, b"/unread"),
        ("POST", "/echo", iter([b"in ", b"chunks"]), 200, b"in chunks"),
        ("HEAD", "/a", None, 200, b""),
        ("GET", "/nothing", None, 204, b""),
        ("GET", "/broken", None, 500, b""),
    ],
)
def test_a_connection_outlives_any_request(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any, status: int, answer: bytes
) -> None:
    connection.connect()
    socket = connection.sock
    connection.request(method, path, body=body)
    given = connection.getresponse()
    assert (given.status, given.read()) == (status, answer)
    connection.request("GET", "/next")
    assert connection.getresponse().read() == b"/next"
    assert connection.sock is socket


def test_a_client_that_asks_whether_to_send_its_body_is_told(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/echo")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    assert connection.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(b"body")
    assert connection.getresponse().read() == b"body"


def test_an_sdk_keeps_its_connection() -> None:
    server = make_emulator(0, make_app())
    opened: list[Any] = []
    accept = server.get_request

    def counted() -> Any:
        opened.append(accept())
        return opened[-1]

    server.get_request = counted
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client: Any = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name=CREDENTIALS["AWS_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        client.create_bucket(Bucket="one")
        client.put_object(Bucket="one", Key="k", Body=b"y" * 300_000)  # Expect: 100-continue
        assert client.get_object(Bucket="one", Key="k")["Body"].read() == b"y" * 300_000
        client.head_object(Bucket="one", Key="k")
        client.delete_object(Bucket="one", Key="k")
        assert len(opened) == 1
    finally:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()
