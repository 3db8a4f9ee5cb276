"""One request to a webhook: to the address that was looked at, without redirects, within its time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from graphjobs.http.public_url import UrlRefused
from graphjobs.notify.sending import DeliveryFailed, post


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[tuple[str, str | None, bytes]] = []
        self.status = 204
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?a=b"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.path, self.headers.get("host"), body))
        self.send_response(self.server.status)
        self.send_header("location", self.server.url)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_body_arrives_at_the_path_and_the_status_comes_back(receiver: Receiver) -> None:
    assert post(receiver.url, b"{}", {"x": "y"}, private=True) == 204
    assert receiver.received == [("/hook?a=b", f"127.0.0.1:{receiver.server_port}", b"{}")]


def test_the_connection_goes_to_the_address_that_was_looked_at_under_the_urls_own_name(receiver: Receiver) -> None:
    url = f"http://hooks.example.com:{receiver.server_port}/x"
    assert post(url, b"{}", {}, private=True, resolve=lambda host, port: ["127.0.0.1"]) == 204
    assert receiver.received == [("/x", f"hooks.example.com:{receiver.server_port}", b"{}")]


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 307
    assert post(receiver.url, b"{}", {}, private=True) == 307
    assert len(receiver.received) == 1


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:10.0.0.1"]])
def test_a_name_with_a_private_address_among_its_addresses_is_refused(addresses: list[str]) -> None:
    with pytest.raises(UrlRefused, match="private"):
        post("https://hooks.example.com/", b"{}", {}, resolve=lambda host, port: addresses)


def test_a_host_that_is_not_found_or_does_not_answer_is_tried_again() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(DeliveryFailed, match="not found"):
        post("https://hooks.example.com/", b"{}", {}, resolve=unknown)
    with Receiver() as closed:
        url = closed.url
    with pytest.raises(DeliveryFailed, match="no answer"):
        post(url, b"{}", {}, private=True)
