"""The ticket keys, from a secret: ``{"current": "<kid>", "<kid>": "<text>", ...}``.

To rotate: add a key, wait five minutes, name it ``current``; take the old one out when its last ticket has expired,
12 hours later. No key, and no text that holds one, reaches an exception, a log or a repr.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.auth.key_cache import Freshness, KeyCache
from graphjobs.auth.principal import AuthUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FRESHNESS: Final = Freshness(fresh_seconds=300, reload_seconds=30)
MIN_KEY_LENGTH: Final = 16
KEY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TicketKeys:
    """What the secret says at one time."""

    current: str
    by_name: dict[str, bytes] = field(repr=False)

    def __contains__(self, kid: object) -> bool:
        return kid in self.by_name


class SecretKeyring:
    """`Keyring` over one secret of Secrets Manager."""

    def __init__(
        self, client: SecretsManagerClient, secret_id: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._cache: KeyCache[TicketKeys] = KeyCache(self._load, FRESHNESS, monotonic=monotonic)

    def current(self) -> tuple[str, bytes]:
        """See `Keyring.current`."""
        keys = self._cache.keys()
        return keys.current, keys.by_name[keys.current]

    def key(self, kid: str) -> bytes | None:
        """See `Keyring.key`."""
        return self._cache.keys(kid).by_name.get(kid)

    def _load(self) -> TicketKeys:
        try:
            text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "")
        except (ClientError, BotoCoreError) as error:
            raise AuthUnavailable(f"The ticket keys cannot be read ({type(error).__name__}).") from error
        keys = _parse(text)
        if keys is None:
            raise AuthUnavailable("The ticket keys cannot be read: the secret is not of the expected form.")
        return keys


def _parse(text: str) -> TicketKeys | None:
    """The keys in the secret's text; None, not an error that would hold the text, if it is of another form."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict) or not all(isinstance(value, str) for value in members.values()):
        return None
    current = members.pop("current", "")
    well_formed = all(KEY_NAME.fullmatch(kid) and len(key) >= MIN_KEY_LENGTH for kid, key in members.items())
    if current not in members or not well_formed:
        return None
    return TicketKeys(current, {kid: key.encode("utf-8", "surrogatepass") for kid, key in members.items()})
