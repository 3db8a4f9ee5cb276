"""The authorizer of an API Gateway in front of the stream: turns away what has no valid token and no valid ticket.

It saves a stream's environment from junk, and is no more than that: the stream checks each request again, and whose job
it is. So what cannot be decided just now is let through, for the stream knows what to tell such a client.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.auth.jwt_auth import jwt_verifier
from graphjobs.auth.principal import AuthError, AuthUnavailable
from graphjobs.auth.stream_url import tickets
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.times import now_ms
from graphjobs.http.problem import Problem
from graphjobs.observability import logger as make_logger
from graphjobs.stream.opening import Credentials, authenticate, bearer_of

if TYPE_CHECKING:
    from graphjobs.auth.jwt_auth import JwtVerifier
    from graphjobs.auth.tickets import Tickets

logger = make_logger("authorize_stream")


@lru_cache(maxsize=1)
def wiring() -> tuple[JwtVerifier, Tickets]:
    """What tokens and tickets are checked with."""
    settings = FUNCTIONS["authorize_stream"].settings(os.environ)
    return jwt_verifier(settings), tickets(settings)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A REQUEST event of a REST API in; the policy out, for this very request."""
    return {
        "principalId": "viewer",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if _may_pass(event) else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
    }


def _may_pass(event: dict[str, Any]) -> bool:
    job_id = (event.get("pathParameters") or {}).get("job_id") or ""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    query = event.get("queryStringParameters") or {}
    credentials = Credentials(bearer_of(headers.get("authorization") or ""), query.get("ticket"))
    verifier, keys = wiring()
    try:
        authenticate(job_id, credentials, verifier, keys, now_ms())
    except (AuthError, Problem):
        return False
    except (AuthUnavailable, ClientError, BotoCoreError) as error:
        logger.warning("left to the stream", extra={"job_id": job_id, "error": str(error)})
    return True


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
