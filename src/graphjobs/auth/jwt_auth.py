"""Bearer tokens for the stream function, accepted exactly as the HTTP API's JWT authorizer accepts them.

RS256, RS384 or RS512 with a key of the issuer's JWKS that the header's ``kid`` names; ``iss``, ``exp`` and ``sub``
required; ``nbf`` and ``iat``, where present, not in the future; audience is ``aud``, else ``client_id``, since
Cognito's access tokens have no ``aud``. Only this module imports PyJWT.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import jwt

from graphjobs.auth.administrators import NOBODY, Administrators, administrators
from graphjobs.auth.jwks import Jwks
from graphjobs.auth.principal import AuthError, Principal
from graphjobs.core.settings import Settings

ALGORITHMS: Final = ("RS256", "RS384", "RS512")
MAX_TOKEN_LENGTH: Final = 16 * 1024

# The times are checked here, against an injected clock; the audience here too, since it may be `client_id`.
_OPTIONS: Final[Any] = {
    "require": ["exp", "iss", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}


class JwtVerifier:
    """Verifies bearer tokens."""

    def __init__(
        self,
        issuer: str,
        audience: tuple[str, ...],
        jwks: Jwks,
        *,
        admins: Administrators = NOBODY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._issuer = issuer
        self._audience = frozenset(audience)
        self._jwks = jwks
        self._admins = admins
        self._clock = clock

    def verify(self, token: str) -> Principal:
        """The caller that `token` names; raises as `claims` does."""
        claims = self.claims(token)
        return Principal(claims["sub"], admin=self._admins.include(claims))

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of `token`.

        Raises:
            AuthError: ``token_invalid`` or ``token_expired``: the token is refused.
            AuthUnavailable: the issuer's keys cannot be had, so it cannot be said.
        """
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise _refused()
        # RecursionError: a JSON text of nothing but brackets.
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise _refused() from None
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS or not isinstance(kid, str) or "crit" in header:
            raise _refused()
        key = self._jwks.key(kid)
        if key is None:
            raise _refused()
        try:
            claims = jwt.decode(token, key, algorithms=[header["alg"]], issuer=self._issuer, options=_OPTIONS)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise _refused() from None
        self._check(claims)
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        if not claims["sub"] or not self._audience & _audience(claims):
            raise _refused()
        now = self._clock()
        # Written so that NaN, which JSON lets through here, fails each comparison that would accept it.
        if not all(_is_time(claims[name]) and claims[name] <= now for name in ("nbf", "iat") if name in claims):
            raise _refused()
        if not _is_time(claims["exp"]) or claims["exp"] == float("inf"):
            raise _refused()
        if not claims["exp"] > now:
            raise AuthError("token_expired", "The token has expired.")


def jwt_verifier(settings: Settings) -> JwtVerifier:
    """The verifier of this deployment."""
    jwks = Jwks(settings.oidc_issuer, settings.oidc_jwks_url)
    return JwtVerifier(settings.oidc_issuer, settings.oidc_audience, jwks, admins=administrators(settings))


def _refused() -> AuthError:
    return AuthError("token_invalid", "The token is not one that this service accepts.")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _audience(claims: dict[str, Any]) -> set[str]:
    named = claims["aud"] if "aud" in claims else claims.get("client_id")
    if isinstance(named, list):
        return {item for item in named if isinstance(item, str)}
    return {named} if isinstance(named, str) else set()
