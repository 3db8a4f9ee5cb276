"""Keys from elsewhere, kept in the process: seen anew when they rotate, cheap under a flood of invented key names.

Holds true: a key that is at hand never waits for the source; what the source cannot be asked about is
"unavailable", never "refused"; the source is asked at most once every `reload_seconds`, or, when it has failed
and a key is missing, once every `RETRY_SECONDS`, whatever is asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from graphjobs.auth.principal import AuthUnavailable


class Keyed(Protocol):
    """A set of keys that knows its names."""

    def __contains__(self, kid: object, /) -> bool:
        """Whether there is a key of that name."""


Keys = TypeVar("Keys", bound=Keyed)

RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long keys are kept, and how often an unknown name may reload them; both in seconds."""

    fresh_seconds: float
    reload_seconds: float


class KeyCache(Generic[Keys]):
    """A set of keys, loaded when first needed, when stale, and when a name is asked for that it lacks."""

    def __init__(
        self,
        load: Callable[[], Keys],
        freshness: Freshness,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` returns the keys or raises `AuthUnavailable`."""
        self._load = load
        self._freshness = freshness
        self._monotonic = monotonic
        self._loading = threading.Lock()
        self._keys: Keys | None = None
        self._loaded_at = float("-inf")
        self._tried_at = float("-inf")
        self._failed = False

    def keys(self, kid: str | None = None) -> Keys:
        """The keys, with that of the name `kid` if the source has it; None asks for no particular one.

        Raises:
            AuthUnavailable: there are none at hand, or not `kid`, and the source cannot be asked.
        """
        keys = self._keys
        if keys is None or (kid is not None and kid not in keys):
            with self._loading:
                return self._load_for(kid)
        if self._stale() and self._loading.acquire(blocking=False):
            try:
                if self._stale() and self._due(self._freshness.reload_seconds):
                    return self._reload()
            except AuthUnavailable:
                return keys  # keys at hand outlive a source that fails
            finally:
                self._loading.release()
        return keys

    def _load_for(self, kid: str | None) -> Keys:
        keys = self._keys
        if keys is not None and (kid is None or kid in keys):
            return keys  # loaded while this thread waited
        if self._due(RETRY_SECONDS if self._failed else self._freshness.reload_seconds):
            return self._reload()
        if keys is None or self._failed:
            raise AuthUnavailable("The keys cannot be had just now.")
        return keys

    def _stale(self) -> bool:
        return self._monotonic() - self._loaded_at >= self._freshness.fresh_seconds

    def _due(self, seconds: float) -> bool:
        return self._monotonic() - self._tried_at >= seconds

    def _reload(self) -> Keys:
        self._failed = True
        try:
            self._keys = self._load()
        finally:
            # After the call, not before: a source that takes seconds to fail gets its rest too.
            self._tried_at = self._monotonic()
        self._failed = False
        self._loaded_at = self._tried_at
        return self._keys
