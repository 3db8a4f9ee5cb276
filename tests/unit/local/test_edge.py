"""What the edge takes for the caller's claims."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from graphjobs.auth.principal import AuthError
from graphjobs.local.edge import authorized


class Verifier:
    """Takes one token, which is no JWT: nothing but the verifier can say what it claims."""

    def claims(self, token: str) -> dict[str, Any]:
        if token != "known":
            raise AuthError("token_invalid", "no")
        return {"sub": "user-1", "scope": "jobs"}


@pytest.mark.parametrize(
    ("authorization", "claims"),
    [
        (b"Bearer known", {"sub": "user-1", "scope": "jobs"}),
        (b"bearer  known ", {"sub": "user-1", "scope": "jobs"}),
        (b"Bearer other", None),
        (b"Basic known", None),
        (b"", None),
    ],
)
def test_the_claims_are_those_that_were_verified(authorization: bytes, claims: dict[str, Any] | None) -> None:
    request = Request({"type": "http", "headers": [(b"authorization", authorization)]})
    verifier: Any = Verifier()
    assert authorized(request, verifier) == claims
