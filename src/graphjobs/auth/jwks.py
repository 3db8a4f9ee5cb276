"""The issuer's public keys (RFC 7517), found by OIDC discovery or at a fixed address, and kept for an hour.

Only RSA signing keys of 2048 bits or more that have a name are taken; others in the document are passed over.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from graphjobs.auth.key_cache import Freshness, KeyCache
from graphjobs.auth.principal import AuthUnavailable

MAX_DOCUMENT_BYTES: Final = 1024 * 1024
FETCH_TIMEOUT_SECONDS: Final = 3
MIN_KEY_BITS: Final = 2048
FRESHNESS: Final = Freshness(fresh_seconds=3600, reload_seconds=10)

Fetch = Callable[[str], bytes]
"""The body at an address; raises `OSError` or `HTTPException` if it cannot be had."""


class Jwks:
    """The issuer's public keys, fetched when needed."""

    def __init__(
        self,
        issuer: str,
        url: str = "",
        *,
        fetch: Fetch | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is that of the JWKS document; without it, what the issuer's discovery document names."""
        self._issuer = issuer
        self._url = url
        self._fetch = fetch or _fetch
        self._cache: KeyCache[dict[str, RSAPublicKey]] = KeyCache(self._load, FRESHNESS, monotonic=monotonic)

    def key(self, kid: str) -> RSAPublicKey | None:
        """The key of that name; None if the issuer has none.

        Raises:
            AuthUnavailable: there is no such key at hand and the issuer cannot be asked.
        """
        return self._cache.keys(kid).get(kid)

    def _load(self) -> dict[str, RSAPublicKey]:
        try:
            document = json.loads(self._fetch(self._url or self._discovered()))
            return {key["kid"]: public for key in document["keys"] if (public := _public_key(key)) is not None}
        except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
            raise AuthUnavailable(f"The issuer's keys cannot be fetched ({type(error).__name__}).") from error

    def _discovered(self) -> str:
        document = json.loads(self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        return str(document["jwks_uri"])


def _public_key(jwk: Any) -> RSAPublicKey | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(jwk.get("kid"), str):
        return None
    try:
        key = RSAPublicNumbers(e=_integer(jwk["e"]), n=_integer(jwk["n"])).public_key()
    except (KeyError, ValueError, TypeError):
        return None
    return key if key.key_size >= MIN_KEY_BITS else None


def _integer(text: str) -> int:
    """A Base64urlUInt (RFC 7518, section 2)."""
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _fetch(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ValueError("not an http address")
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked above
        body: bytes = answer.read(MAX_DOCUMENT_BYTES)
    return body
