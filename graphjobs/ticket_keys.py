"""The ticket keys, from a secret: ``{"current": "<kid>", "<kid>": "<text>", ...}``.

Kept for `FRESH_SECONDS`; an unknown key name reloads them, at most every `RELOAD_SECONDS`, so that a rotation is
seen at once and a flood of invented names is not. While the secret store fails the keys at hand stay in use.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.auth import AuthUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FRESH_SECONDS: Final = 300.0
RELOAD_SECONDS: Final = 30.0
MIN_KEY_LENGTH: Final = 16


class SecretKeyring:
    """`Keyring` over one secret of Secrets Manager."""

    def __init__(
        self, client: SecretsManagerClient, secret_id: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._current = ""
        self._tried_at = float("-inf")

    def current(self) -> tuple[str, bytes]:
        """See `Keyring.current`."""
        self._refresh(FRESH_SECONDS)
        return self._current, self._keys[self._current]

    def key(self, kid: str) -> bytes | None:
        """See `Keyring.key`."""
        self._refresh(FRESH_SECONDS)
        if kid not in self._keys:
            self._refresh(RELOAD_SECONDS)
        return self._keys.get(kid)

    def _refresh(self, older_than: float) -> None:
        with self._lock:
            now = self._monotonic()
            if self._keys and now - self._tried_at < older_than:
                return
            self._tried_at = now
            try:
                text = self._client.get_secret_value(SecretId=self._secret_id)["SecretString"]
                self._current, self._keys = _parse(text)
            except (ClientError, BotoCoreError, ValueError) as error:
                if not self._keys:
                    # Not chained: the cause may hold the secret's text.
                    raise AuthUnavailable(f"The ticket keys cannot be read ({type(error).__name__}).") from None


def _parse(text: str) -> tuple[str, dict[str, bytes]]:
    members = json.loads(text)
    current = members.pop("current")
    keys = {kid: key.encode() for kid, key in members.items()}
    if current not in keys or any(len(key) < MIN_KEY_LENGTH for key in keys.values()):
        raise ValueError("the secret is not of the expected form")
    return current, keys
