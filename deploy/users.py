"""Two users of a Cognito user pool, for the time of the tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

NAMES: Final = ("user-1", "user-2")


@contextmanager
def temporary_users(cognito: Any, pool_id: str, client_id: str) -> Iterator[Mapping[str, str]]:
    """Access tokens by the tests' names of users; the users are deleted at the end, whatever happens."""
    made: list[str] = []
    try:
        tokens = {}
        for name in NAMES:
            email = f"graphjobs-{name}-{secrets.token_hex(8)}@example.com"
            cognito.admin_create_user(
                UserPoolId=pool_id,
                Username=email,
                MessageAction="SUPPRESS",
                UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            )
            made.append(email)
            tokens[name] = _token(cognito, pool_id, client_id, email)
        yield tokens
    finally:
        for email in made:
            cognito.admin_delete_user(UserPoolId=pool_id, Username=email)


def _token(cognito: Any, pool_id: str, client_id: str, email: str) -> str:
    # A letter of each kind that the pool asks for, then chance.
    password = "aA1-" + secrets.token_urlsafe(24)
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=email, Password=password, Permanent=True)
    answer = cognito.initiate_auth(
        ClientId=client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    return str(answer["AuthenticationResult"]["AccessToken"])
