"""An OIDC issuer inside the test: it signs tokens, serves its keys to `Jwks`, rotates them and goes down on demand."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from graphjobs.auth.administrators import NOBODY, Administrators
from graphjobs.auth.jwks import Jwks
from graphjobs.auth.jwt_auth import JwtVerifier
from graphjobs.testing import FakeMonotonic

ISSUER = "https://issuer.example.test"
AUDIENCE = "graphjobs-test"
NOW = 1_800_000_000


@lru_cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of that name, made once a test run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The public part of `key`, as everybody can have it."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def segment(value: Any) -> str:
    """A segment of a token: JSON (or bytes as they are) in base64url."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Issuer:
    """Signs with the key `kid`; publishes the keys in `published`."""

    def __init__(self) -> None:
        self.kid = "k1"
        self.published = ["k1"]
        self.extra_keys: list[Any] = []
        self.down = False
        self.fetched: list[str] = []
        self.monotonic = FakeMonotonic()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good token; a change to None takes a claim out."""
        claims = {"iss": ISSUER, "sub": "user-1", "aud": AUDIENCE, "iat": NOW - 5, "exp": NOW + 600} | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, headers: dict[str, Any] | None = None, algorithm: str = "RS256", **changes: Any) -> str:
        """A token with these claims changed; signed by hand, so that any claims and headers can be."""
        head = {"alg": algorithm, "typ": "JWT", "kid": self.kid} | (headers or {})
        text = f"{segment({k: v for k, v in head.items() if v is not None})}.{segment(self.claims(**changes))}"
        return self.signed(text, algorithm)

    def signed(self, text: str, algorithm: str = "RS256") -> str:
        """Header and claims, as they are, with this issuer's signature."""
        signer = jwt.get_algorithm_by_name(algorithm)
        return f"{text}.{segment(signer.sign(text.encode(), rsa_key(self.kid)))}"

    def document(self) -> dict[str, Any]:
        """The JWKS document."""
        keys = []
        for kid in self.published:
            jwk = RSAAlgorithm.to_jwk(rsa_key(kid).public_key(), as_dict=True)
            keys.append({**jwk, "kid": kid, "use": "sig", "alg": "RS256"})
        return {"keys": [*keys, *self.extra_keys]}

    def fetch(self, url: str) -> bytes:
        """What `Jwks` fetches with."""
        self.fetched.append(url)
        if self.down:
            raise OSError("connection refused")
        if url.endswith("/.well-known/openid-configuration"):
            return json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}).encode()
        return json.dumps(self.document()).encode()

    def jwks(self, url: str = "") -> Jwks:
        """Keys as the stream function holds them."""
        return Jwks(ISSUER, url, fetch=self.fetch, monotonic=self.monotonic)

    def verifier(self, *audience: str, admins: Administrators = NOBODY) -> JwtVerifier:
        """A verifier of this issuer's tokens."""
        keys = self.jwks(f"{ISSUER}/keys")
        return JwtVerifier(ISSUER, audience or (AUDIENCE,), keys, admins=admins, clock=lambda: NOW)
