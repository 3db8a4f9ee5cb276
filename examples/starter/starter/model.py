"""The chat model of the built-in graphs: offline, unless `GRAPHJOBS_MODEL` names a real one.

langchain and a provider's package are imported only when a model is named: they would double the import time
of a worker that does not use them. A model is made for each call, since an asynchronous client belongs to the
event loop it was made on and a warm worker runs one loop per job.
"""

from __future__ import annotations

import os

from langchain_core.language_models import BaseChatModel
from pydantic import ValidationError

from starter.offline_model import OfflineChatModel

MODEL = "GRAPHJOBS_MODEL"
OFFLINE = "offline"
PAUSE = "GRAPHJOBS_OFFLINE_TOKEN_MS"
_MAX_PAUSE_MS = 10_000


class ModelError(RuntimeError):
    """The model that the environment names cannot be used; the message names the variable and the reason."""


def chat_model() -> BaseChatModel:
    """The model that the environment names (any `init_chat_model` string), else the offline one.

    May block for a second on the first call of a process, while it imports the provider's package. Raises
    `ModelError`.
    """
    name = os.environ.get(MODEL, "").strip()
    return _named(name) if name not in ("", OFFLINE) else OfflineChatModel(token_seconds=_token_seconds())


def _named(name: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    if name.endswith(":"):
        raise ModelError(_unusable(name, "it names a provider but no model"))
    try:
        return init_chat_model(name)
    except ValidationError as error:
        # Its text, also in a traceback, shows the values that it was given, an API key among them.
        first = error.errors(include_input=False, include_url=False)[0]
        raise ModelError(_unusable(name, " ".join([*map(str, first["loc"]), first["msg"]]))) from None
    except Exception as error:  # a provider's constructor may raise anything
        raise ModelError(_unusable(name, str(error).strip() or type(error).__name__)) from error


def _unusable(name: str, reason: str) -> str:
    return f"{MODEL}={name!r} cannot be used: {reason.splitlines()[0]}"


def _token_seconds() -> float:
    text = os.environ.get(PAUSE, "20")
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 <= milliseconds <= _MAX_PAUSE_MS:
        limits = f"a number of milliseconds from 0 to {_MAX_PAUSE_MS}"
        raise ModelError(f"{PAUSE}={text!r} is not {limits}")
    return milliseconds / 1000
