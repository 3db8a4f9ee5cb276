"""The addresses of the local OIDC issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from graphjobs.local.issuer import public_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa


def issuer_routes(issuer: str, key: rsa.RSAPrivateKey) -> list[Route]:
    """Discovery and JWKS."""
    document = {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    keys = public_keys(key)

    async def discovery(request: Request) -> JSONResponse:
        return JSONResponse(document)

    async def jwks(request: Request) -> JSONResponse:
        return JSONResponse(keys)

    return [Route("/.well-known/openid-configuration", discovery), Route("/jwks", jwks)]
