"""Secrets of the user's graphs: read once per process, before any graph is loaded, and put into the environment.

The deployment names them as variables and ARNs; a value is in neither the bundle nor the function's configuration.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

PARTS_OF_ARN: Final = 7


class SecretUnreadable(RuntimeError):
    """A configured secret cannot be used. The message names variable and ARN, never anything of the secret."""


def load_secrets(named: str, client: SecretsManagerClient, environ: MutableMapping[str, str]) -> None:
    """Put each secret into `environ`; what is there already is replaced.

    Args:
        named: a JSON object of variables and ARNs. ``ARN:KEY`` is the member KEY of a secret that is a JSON object.
        client: of Secrets Manager; a secret that is named twice is read once.
        environ: where they go.

    Raises:
        SecretUnreadable: a secret has no text, or not the member that is wanted.
        ClientError, BotoCoreError: as Secrets Manager answers.
    """
    texts: dict[str, str] = {}
    for variable, arn in json.loads(named or "{}").items():
        parts = arn.split(":")
        secret, member = ":".join(parts[:PARTS_OF_ARN]), ":".join(parts[PARTS_OF_ARN:])
        if secret not in texts:
            texts[secret] = client.get_secret_value(SecretId=secret).get("SecretString", "")
        value = _member(texts[secret], member) if member else texts[secret]
        if not value:
            raise SecretUnreadable(f"{variable}: there is no text in {arn}.")
        environ[variable] = value


def _member(text: str, name: str) -> str | None:
    try:
        members = json.loads(text)
    except ValueError:
        return None
    value = members.get(name) if isinstance(members, dict) else None
    return value if isinstance(value, str) else None
