"""Who may: the errors of authentication, shared by tokens and tickets. Messages never quote a credential."""

from __future__ import annotations

from dataclasses import dataclass


class AuthError(Exception):
    """The credential is refused: 401.

    Attributes:
        code: stable name, such as ``token_expired``.
        detail: one sentence, without anything of the credential.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class AuthUnavailable(Exception):
    """The keys to check the credential with cannot be had just now: 503, never 401."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token was verified; `admin` as `graphjobs.auth.administrators` says."""

    sub: str
    admin: bool = False
