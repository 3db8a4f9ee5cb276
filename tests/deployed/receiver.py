"""A receiver of webhooks on this machine, over TLS, and what it checks of each."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST: Final = "127.1"
"""127.0.0.1 to every resolver, in a form that only resolving tells: as a name that leads to a private address does."""

WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def is_signed(self, keys: Mapping[str, str]) -> bool:
        """Whether its signature is that of Standard Webhooks, with the key among `keys` that it names."""
        key = keys[self.headers["webhook-key-id"]].encode()
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(self.headers["webhook-signature"], f"v1,{expected}")


class Receiver(ThreadingHTTPServer):
    """Answers with each of `statuses` in turn, then with 500."""

    daemon_threads = True

    def __init__(self, statuses: tuple[int, ...], certificate: Path) -> None:
        self.certificate = certificate
        self.requests: SimpleQueue[Received] = SimpleQueue()
        self.statuses = list(statuses)
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        """Where webhooks go."""
        return f"https://{HOST}:{self.server_port}/hook?a=b"

    def next(self) -> Received:
        """The next request; waits for it."""
        return self.requests.get(timeout=WAIT_SECONDS)


class Handler(BaseHTTPRequestHandler):
    """Notes a request and answers it."""

    server: Receiver

    def do_POST(self) -> None:
        """Any path."""
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.statuses.pop(0) if self.server.statuses else 500
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        self.server.requests.put(Received(self.path, headers, body))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@contextmanager
def receiving(folder: Path, *statuses: int) -> Iterator[Receiver]:
    """A receiver, listening; its certificate is made in `folder`."""
    with Receiver(statuses, self_signed(folder / "receiver.pem")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def self_signed(path: Path) -> Path:
    """Write a key and a certificate of `HOST` that only who is given the file trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, encipher_only=False, decipher_only=False, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
