"""An access token for the canary, from the credentials in its secret.

``{"username", "password"}`` of a user of the deployment's Cognito pool, or ``{"token_url", "client_id",
"client_secret", "scope"?}`` of any issuer that knows client credentials (RFC 6749, section 4.4).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request

from graphjobs.canary.round_trip import opened

COGNITO: str = "AWSCognitoIdentityProviderService.InitiateAuth"


def access_token(credentials: Mapping[str, str], issuer: str, client_id: str) -> str:
    """A token; `issuer` and `client_id` are those of the pool, for a user of it.

    Raises:
        OSError: the issuer cannot be reached, or refuses.
        KeyError, ValueError: the secret or the answer is not of the expected form.
    """
    if "token_url" in credentials:
        return _by_client_credentials(credentials)
    form = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": client_id,
        "AuthParameters": {"USERNAME": credentials["username"], "PASSWORD": credentials["password"]},
    }
    parts = urlsplit(issuer)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": COGNITO}
    answer = _json(Request(f"{parts.scheme}://{parts.netloc}/", json.dumps(form).encode(), headers))  # noqa: S310
    return str(answer["AuthenticationResult"]["AccessToken"])


def _by_client_credentials(credentials: Mapping[str, str]) -> str:
    pair = f"{credentials['client_id']}:{credentials['client_secret']}"
    headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    form = {"grant_type": "client_credentials"}
    form |= {"scope": credentials["scope"]} if "scope" in credentials else {}
    request = Request(credentials["token_url"], urlencode(form).encode(), headers)  # noqa: S310
    return str(_json(request)["access_token"])


def _json(request: Request) -> Any:
    with opened(request) as answer:
        return json.loads(answer.read())
