"""Bearer tokens for the stream function, accepted exactly as the HTTP API's JWT authorizer accepts them.

RS256, RS384 or RS512 from the issuer's JWKS; ``iss``, ``exp`` and ``sub`` required; audience is ``aud``, else
``client_id``, since Cognito's access tokens have no ``aud``. Only this module imports PyJWT.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Final

import jwt
from jwt.algorithms import RSAAlgorithm

from graphjobs.auth import AuthError, AuthUnavailable, Principal
from graphjobs.settings import Settings

ALGORITHMS: Final = ("RS256", "RS384", "RS512")
MAX_TOKEN_LENGTH: Final = 16 * 1024
MAX_DOCUMENT_BYTES: Final = 1024 * 1024
FETCH_TIMEOUT_SECONDS: Final = 3
FRESH_SECONDS: Final = 3600.0
REFETCH_SECONDS: Final = 10.0
"""An unknown key name refetches the JWKS at most this often: rotation is seen, a flood of names is not."""

Fetch = Callable[[str], bytes]


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
        self._issuer = issuer
        self._url = url
        self._fetch = fetch or _fetch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, Any] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")

    def key(self, kid: str) -> Any:
        """The RSA public key of that name; None if the issuer has none.

        Raises:
            AuthUnavailable: there is no such key at hand and the issuer cannot be reached.
        """
        with self._lock:
            now = self._monotonic()
            stale = now - self._fetched_at > FRESH_SECONDS
            if (stale or kid not in self._keys) and now - self._tried_at > REFETCH_SECONDS:
                self._tried_at = now
                self._refetch(kid, now)
            if not self._keys:
                raise AuthUnavailable("The issuer's keys cannot be fetched.")
            return self._keys.get(kid)

    def _refetch(self, kid: str, now: float) -> None:
        try:
            url = self._url or self._discovered()
            document = json.loads(self._fetch(url))
            self._keys = {key["kid"]: _public_key(key) for key in document["keys"] if _usable(key)}
            self._fetched_at = now
        except (OSError, ValueError, KeyError, TypeError, jwt.InvalidKeyError) as error:
            if kid not in self._keys:
                raise AuthUnavailable(f"The issuer's keys cannot be fetched ({type(error).__name__}).") from error

    def _discovered(self) -> str:
        document = json.loads(self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        self._url = str(document["jwks_uri"])
        return self._url


class JwtVerifier:
    """Verifies bearer tokens."""

    def __init__(self, issuer: str, audience: tuple[str, ...], jwks: Jwks) -> None:
        self._issuer = issuer
        self._audience = frozenset(audience)
        self._jwks = jwks

    def verify(self, token: str) -> Principal:
        """The caller that `token` names.

        Raises:
            AuthError: the token is refused.
            AuthUnavailable: the issuer's keys cannot be had.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise _refused()
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if header.get("alg") not in ALGORITHMS or not isinstance(kid, str):
                raise _refused()
            key = self._jwks.key(kid)
            if key is None:
                raise _refused()
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                issuer=self._issuer,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError:
            raise AuthError("token_expired", "The token has expired.") from None
        except (jwt.InvalidTokenError, ValueError):
            raise _refused() from None
        if not self._audience & _audience(claims) or not claims["sub"]:
            raise _refused()
        return Principal(claims["sub"])


def jwt_verifier(settings: Settings) -> JwtVerifier:
    """The verifier of this deployment."""
    jwks = Jwks(settings.oidc_issuer, settings.oidc_jwks_url)
    return JwtVerifier(settings.oidc_issuer, settings.oidc_audience, jwks)


def _refused() -> AuthError:
    return AuthError("token_invalid", "The token is not one that this service accepts.")


def _audience(claims: dict[str, Any]) -> set[str]:
    named = claims["aud"] if "aud" in claims else claims.get("client_id", "")
    return {named} if isinstance(named, str) else {item for item in named if isinstance(item, str)}


def _usable(key: dict[str, Any]) -> bool:
    return key.get("kty") == "RSA" and key.get("use", "sig") == "sig" and isinstance(key.get("kid"), str)


def _public_key(key: dict[str, Any]) -> Any:
    return RSAAlgorithm.from_jwk({name: key[name] for name in ("kty", "n", "e")})


def _fetch(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ValueError("not an http address")
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked above
        body: bytes = answer.read(MAX_DOCUMENT_BYTES)
    return body
