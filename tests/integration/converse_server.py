"""A stand-in for Amazon Bedrock on 127.0.0.1 that speaks one operation, ConverseStream, byte for byte.

`POST /model/{modelId}/converse-stream` is answered as `application/vnd.amazon.eventstream`: each message is a
prelude (total length, length of the headers, CRC-32 of both), the headers, the payload, and the CRC-32 of all
before it, integers big-endian. A request that is not signed with Signature Version 4 for `bedrock`, or has no
messages, is refused as Bedrock refuses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote
from zlib import crc32

_PATH = re.compile(r"/model/(?P<model>[^/]+)/converse-stream")
_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/, ]+/\d{8}/[a-z0-9-]+/bedrock/aws4_request, "
    r"SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}"
)
_STRING = 7  # the type of a header's value
_HOLD_SECONDS = 20


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of the event stream encoding, all its headers strings."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    lengths = pack(">II", 16 + len(block) + len(payload), len(block))
    message = lengths + pack(">I", crc32(lengths)) + block + payload
    return message + pack(">I", crc32(message))


def event(name: str, body: object) -> bytes:
    """An event of the stream, such as `contentBlockDelta`."""
    return _json_message({":message-type": "event", ":event-type": name}, body)


def exception(name: str, message: str) -> bytes:
    """An exception within an open stream, such as `throttlingException`; it ends the stream."""
    return _json_message({":message-type": "exception", ":exception-type": name}, {"message": message})


def _json_message(headers: Mapping[str, str], body: object) -> bytes:
    payload = json.dumps(body, ensure_ascii=False).encode()
    return encode({**headers, ":content-type": "application/json"}, payload)


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return pack(">B", len(key)) + key + pack(">BH", _STRING, len(text)) + text


@dataclass
class Script:
    """What the model does. All but the first delta wait for `release`, as a slow model would make one wait.

    `refuse` answers 429 before the stream; `break_after` puts a throttling exception after so many deltas.
    `sent` is what has gone out so far, `requests` are the (model id, body) that came in.
    """

    deltas: Sequence[str]
    refuse: bool = False
    break_after: int | None = None
    release: Event = field(default_factory=Event)
    sent: list[str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def messages(self) -> Iterator[bytes]:
        yield event("messageStart", {"role": "assistant"})
        for index, delta in enumerate(self.deltas):
            if index == self.break_after:
                yield exception("throttlingException", "Too many tokens, please wait.")
                return
            if index == 1 and not self.release.wait(_HOLD_SECONDS):
                yield exception("modelStreamErrorException", "The client never asked for the rest.")
                return
            self.sent.append(delta)
            yield event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": delta}})
        yield event("contentBlockStop", {"contentBlockIndex": 0})
        yield event("messageStop", {"stopReason": "end_turn"})
        usage = {"inputTokens": 7, "outputTokens": len(self.deltas), "totalTokens": 7 + len(self.deltas)}
        yield event("metadata", {"usage": usage, "metrics": {"latencyMs": 12}})


@contextmanager
def converse_server(script: Script) -> Iterator[str]:
    """Serves the script on a free port; gives the base URL. Everything has ended when it returns."""
    handler = type("Handler", (_Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = False  # closing the server then waits for the open streams too
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            script.release.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    script: Script
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        # One request a connection, so that no idle one outlives the test.
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = _PATH.fullmatch(self.path)
        if path is None:
            return self._refuse(404, "UnknownOperationException", self.path)
        if not _SIGNATURE.fullmatch(self.headers.get("Authorization", "")):
            return self._refuse(403, "MissingAuthenticationTokenException", "The request is not signed.")
        request = _request(body)
        if request is None:
            return self._refuse(400, "ValidationException", "The body has no messages.")
        self.script.requests.append((unquote(path["model"]), request))
        if self.script.refuse:
            return self._refuse(429, "ThrottlingException", "Too many requests, please wait.")
        return self._stream()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.amazon.eventstream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for message in self.script.messages():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(message), message))
        self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"message": message}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("x-amzn-ErrorType", code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept in the script; nothing goes to stderr."""


def _request(body: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(body)
    except ValueError:
        return None
    return request if isinstance(request, dict) and request.get("messages") else None
