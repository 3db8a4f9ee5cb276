"""Which service the command line talks to, and as whom.

Options come before the environment, and the environment before the local instance of this folder. With
nothing of the three there is one clear line that says so.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from graphjobs.cli.local_package import local_module
from graphjobs.cli.terminal import program
from graphjobs.client.errors import ConfigurationError

DEFAULT_USER: Final = "user-123"
LOCAL_TOKEN_SECONDS: Final = 3600

NOT_CONFIGURED: Final = (
    "No service is configured: start one with `{program} local`, "
    "or set GRAPHJOBS_API_URL and GRAPHJOBS_TOKEN (or give --api-url and --token)."
)
UNIDENTIFIED: Final = "No token is configured: set GRAPHJOBS_TOKEN, or give --token."
USER_IS_LOCAL: Final = "--user works with a local instance only: for any other, give --token."


Token = str | Callable[[], str]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line was given of it; None stands for not given."""

    api_url: str | None = None
    stream_url: str | None = None
    token: str | None = field(default=None, repr=False)
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A service and a token for it; `stream_url` None means that the service itself tells."""

    api_url: str
    stream_url: str | None
    token: Token = field(repr=False)


def state_dir(environ: Mapping[str, str]) -> Path:
    """The folder in which a local instance keeps its state."""
    return Path(environ.get("GRAPHJOBS_STATE_DIR") or ".graphjobs")


def resolve(options: Options, environ: Mapping[str, str]) -> Target:
    """The target that `options` and `environ` name.

    Raises:
        ConfigurationError: there is none, or no token for it.
    """
    folder = state_dir(environ)
    local = _local_state(folder)
    api_url = options.api_url or environ.get("GRAPHJOBS_API_URL") or local.get("api_url")
    if not api_url:
        raise ConfigurationError(NOT_CONFIGURED.format(program=program()))
    stream_url = options.stream_url or environ.get("GRAPHJOBS_STREAM_URL")
    is_local = _same(api_url, local.get("api_url"))
    if is_local and not stream_url:
        stream_url = local.get("stream_url")
    token = options.token or (None if options.user else environ.get("GRAPHJOBS_TOKEN"))
    if token:
        return Target(api_url, stream_url, token.strip())
    if not is_local:
        raise ConfigurationError(USER_IS_LOCAL if options.user else UNIDENTIFIED)
    user = options.user or DEFAULT_USER
    return Target(api_url, stream_url, lambda: mint_local_token(folder, user, LOCAL_TOKEN_SECONDS))


def mint_local_token(folder: Path, user: str, seconds: int, claims: Mapping[str, Any] | None = None) -> str:
    """A token of the local issuer for `user`, valid for `seconds`, with `claims` beside its own.

    Raises:
        ConfigurationError: no local instance has run in `folder`, or the `local` package cannot be imported.
    """
    try:
        return str(local_module("graphjobs.local.issuer").mint_token(folder, user, seconds, claims or {}))
    except FileNotFoundError:
        raise ConfigurationError(
            f"No local instance has run in {folder}: start one with `{program()} local`."
        ) from None


def _local_state(folder: Path) -> dict[str, Any]:
    """What the running local instance says of itself; empty when there is none."""
    path = folder / "local.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not isinstance(state, dict):
        raise ConfigurationError(f"{path} cannot be read: it holds no JSON object")
    return state


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.rstrip("/") == other.rstrip("/")
