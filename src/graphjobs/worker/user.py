"""The user of a run, as LangGraph's server shows one: `langgraph_sdk.auth.types.BaseUser`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class User:
    """Who created the job: the subject of the token that the API has verified."""

    is_authenticated = True
    permissions: tuple[str, ...] = ()

    def __init__(self, identity: str) -> None:
        self.identity = identity

    @property
    def display_name(self) -> str:
        """As the identity: a token's subject is all that is known."""
        return self.identity

    def __getitem__(self, key: str) -> Any:
        return self._members()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._members()

    def __iter__(self) -> Iterator[str]:
        return iter(self._members())

    def __repr__(self) -> str:
        return f"User({self.identity!r})"

    def _members(self) -> dict[str, Any]:
        return {
            "identity": self.identity,
            "display_name": self.display_name,
            "is_authenticated": self.is_authenticated,
            "permissions": self.permissions,
        }
