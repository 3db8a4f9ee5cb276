"""How a context value becomes a typed one. `-c key=value` gives every value as text, cdk.json as JSON: both do.

Each parser takes the raw value and returns the typed one, or raises `ValueError` with the end of a sentence that
begins with the key: "must be ...".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

Parser = Callable[[Any], Any]

MAX_VARIABLES_BYTES = 3_000
"""Of Lambda's 4 KB, what those of graphjobs leave."""

TRUTHS = {"true": True, "false": False}


def flag(raw: Any) -> bool:
    """True or false."""
    text = str(raw).strip().lower()
    if text not in TRUTHS:
        raise ValueError(f"must be true or false, not {raw!r}")
    return TRUTHS[text]


def whole(low: int, high: int, unit: str = "") -> Parser:
    """A whole number from `low` to `high`."""

    def parse(raw: Any) -> int:
        text = str(raw).strip()
        in_words = f"a whole number{' of ' + unit if unit else ''} from {low} to {high}"
        if isinstance(raw, bool) or not re.fullmatch(r"-?\d+", text) or not low <= int(text) <= high:
            raise ValueError(f"must be {in_words}, not {raw!r}")
        return int(text)

    return parse


def one_of(choices: Collection[Any]) -> Parser:
    """One of `choices`, compared as text."""

    def parse(raw: Any) -> Any:
        for choice in choices:
            if str(choice) == str(raw).strip():
                return choice
        raise ValueError(f"must be one of {', '.join(map(str, choices))}, not {raw!r}")

    return parse


def text(pattern: str, example: str) -> Parser:
    """A text that `pattern` matches as a whole."""

    def parse(raw: Any) -> str:
        if not isinstance(raw, str) or not re.fullmatch(pattern, raw.strip()):
            raise ValueError(f"must look like {example}, not {raw!r}")
        return raw.strip()

    return parse


def texts(pattern: str, example: str) -> Parser:
    """A list of texts, or one text with commas; each must match `pattern`."""
    single = text(pattern, example)

    def parse(raw: Any) -> tuple[str, ...]:
        parts = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(parts, list):
            raise ValueError(f"must be a list, not {raw!r}")
        return tuple(single(part) for part in parts if part != "")

    return parse


def variables(raw: Any) -> tuple[tuple[str, str], ...]:
    """A JSON object of environment variables; those that graphjobs or Lambda set are not for the taking."""
    try:
        value = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("must be an object of texts")
    for name in value:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name.startswith(("AWS_", "GRAPHJOBS_", "_")):
            raise ValueError(f"must not set {name!r}: it is not a name for a variable, or is set by graphjobs or AWS")
    if sum(len(name.encode()) + len(item.encode()) for name, item in value.items()) > MAX_VARIABLES_BYTES:
        raise ValueError(f"must be {MAX_VARIABLES_BYTES} bytes at most, names and values together")
    return tuple(sorted(value.items()))


SECRET_ARN = r"arn:[^:\s]+:secretsmanager:[^:\s]+:\d{12}:secret:[^:\s]+-[A-Za-z0-9]{6}"  # noqa: S105 - a pattern
_SECRET = re.compile(SECRET_ARN + r"(:[^:\s]+)?(::)?")


def secrets(raw: Any) -> tuple[tuple[str, str], ...]:
    """A JSON object of variables and the whole ARNs of secrets, each with ``:KEY`` if it is a member of a JSON text."""
    parsed = variables(raw)
    for name, arn in parsed:
        if not _SECRET.fullmatch(arn):
            raise ValueError(f"must give {name} the whole ARN of a secret, with its last six characters, not {arn!r}")
    return tuple((name, arn.removesuffix("::")) for name, arn in parsed)


def secret_of(arn: str) -> str:
    """The ARN of the secret alone, without the member that is wanted of it."""
    return ":".join(arn.split(":")[:7])
