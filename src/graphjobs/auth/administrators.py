"""Who is an administrator: whose token has a certain value in a certain claim. Nobody, unless the settings name both.

A claim is a text of values with spaces between, as OAuth's ``scope`` is (RFC 8693, section 4.2), or a list of values,
as ``cognito:groups`` is. A value counts only as a whole.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphjobs.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Administrators:
    """Those whose `claim` holds `value`; nobody where `claim` is empty."""

    claim: str = ""
    value: str = ""

    def include(self, claims: Mapping[str, Any]) -> bool:
        """Whether a token with these claims, as they are in its JSON, is an administrator's."""
        return bool(self.claim and self.value) and self.value in _values(claims.get(self.claim))

    def include_behind_gateway(self, claims: Mapping[str, Any], authorization: str) -> bool:
        """The same of the claims that the HTTP API's authorizer passes on, and of the header that it has verified.

        It makes the text ``[a b]`` of a list, so the list of one value ``a b`` looks like the list of two. Such a text
        is therefore held against the token's own list. The token is read only to confirm what the authorizer says.
        """
        told = claims.get(self.claim)
        if not (isinstance(told, str) and told.startswith("[") and told.endswith("]")):
            return self.include(claims)
        return self.include({self.claim: told[1:-1].split(" ")}) and self.include(_claims_of(authorization))


NOBODY: Final = Administrators()


def administrators(settings: Settings) -> Administrators:
    """Those of this deployment."""
    return Administrators(settings.admin_claim, settings.admin_value)


def _values(claim: Any) -> list[Any]:
    if isinstance(claim, str):
        return claim.split(" ")
    return claim if isinstance(claim, list) else []


def _claims_of(authorization: str) -> dict[str, Any]:
    """The claims of the token in an ``Authorization`` header, unverified; empty if they cannot be read."""
    parts = authorization.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return {}
    payload = parts[1]
    try:
        claims = json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), b"-_", validate=True))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
