"""A proxy on 127.0.0.1 that is, to the processes that use it, the internet: it plays some hosts and passes on the rest.

A client that honours ``HTTPS_PROXY`` asks it by ``CONNECT``; for a host of `services` it speaks TLS itself, with a
certificate of an authority that lives as long as this process and that the variables of `environ` have trusted.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compat.services import HOSTS, Services

SECONDS: Final = 10
BYTES: Final = 65_536


@contextmanager
def internet(folder: Path, services: Services) -> Iterator[dict[str, str]]:
    """Play `services`; gives the variables that lead a process here. Certificates are written into `folder`."""
    chain, key, trusted = folder / "chain.pem", folder / "key.pem", folder / "trusted.pem"
    _write_certificates(chain, key, trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    class Handler(_Proxy):
        tls = context
        played = services

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    proxy, bundle = f"http://127.0.0.1:{server.server_port}", str(trusted)
    hosts = "127.0.0.1,localhost"
    try:
        yield {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), hosts),
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), bundle),
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Proxy(BaseHTTPRequestHandler):
    tls: ssl.SSLContext
    played: Services

    def do_CONNECT(self) -> None:
        host, _, port = self.path.partition(":")
        if host in HOSTS:
            self._connected()
            # A client may leave at any time, and one that trusts nobody does so at once.
            with suppress(OSError), self.tls.wrap_socket(self.connection, server_side=True) as inner:
                type("Site", (_Site,), {"host": host, "played": self.played})(inner, self.client_address, self.server)
        else:
            with suppress(OSError):
                self._pass_on(host, int(port or 443))
        self.close_connection = True

    def _pass_on(self, host: str, port: int) -> None:
        try:
            other = socket.create_connection((host, port), timeout=SECONDS)
        except OSError as error:
            self.send_error(502, f"{host} cannot be reached: {error}")
            return
        self._connected()
        with other:
            other.settimeout(None)
            ends = {self.connection: other, other: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(BYTES)
                    if not data:
                        return
                    ends[end].sendall(data)

    def _connected(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: str
    played: Services

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.played.answer(self.host, path, body)
        if answer is None:
            self._whole(404, "application/json", json.dumps({"error": {"message": f"{self.host}{path} is not played"}}))
        elif isinstance(answer, str):
            self._whole(200, "text/plain; charset=utf-8", answer)
        elif isinstance(answer, dict):
            self._whole(200, "application/json", json.dumps(answer, ensure_ascii=False))
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Connection", "close")
            self.end_headers()
            for line in answer:
                self.wfile.write(line.encode())
                self.wfile.flush()

    def _whole(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _write_certificates(chain: Path, key: Path, trusted: Path) -> None:
    authority, site = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    of_authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graphjobs compat")])
    root = _certificate(of_authority, of_authority, authority, authority, authority=True)
    leaf = _certificate(x509.Name([]), of_authority, site, authority, authority=False)
    form = serialization.Encoding.PEM
    chain.write_bytes(leaf.public_bytes(form) + root.public_bytes(form))
    no_password = serialization.NoEncryption()
    key.write_bytes(site.private_bytes(form, serialization.PrivateFormat.PKCS8, no_password))
    trusted.write_bytes(Path(certifi.where()).read_bytes() + root.public_bytes(form))


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if authority:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        names = [x509.DNSName(host) for host in HOSTS]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    return builder.sign(signer, hashes.SHA256())
