"""Makes JSON of whatever a graph puts in its state or writes to its stream; never fails, and says what it had to cut.

What JSON has no form for keeps its meaning: a number of numpy is a number, an array a list, a path its text, a date ISO
8601, a duration its seconds, bytes ``{"base64": ...}``, a set a list; NaN, infinities and missing values are null; an
object is what it offers itself (``model_dump``, dataclass fields). Halves of a character are joined, or become U+FFFD.

What cannot be kept is cut: a cycle, what is nested deeper than `MAX_DEPTH`, an integer of more digits than Python
writes, an object that offers nothing (its ``repr``, shortened, stands for it) or raises. `encode` names each.

What is plain already, as nearly all of every event is, is encoded as it stands: that is most of what a token costs.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence, Set, ValuesView
from enum import Enum
from typing import Any, Final, NamedTuple

import orjson

from graphjobs.worker.scalars import NO_FORM, form_of
from graphjobs.worker.surrogates import clean_text

MAX_DEPTH: Final = 254
"""That of LangGraph's checkpoints."""
MAX_REPR: Final = 500
MAX_CUTS: Final = 20
MAX_INTEGER_BITS: Final = 12_000
"""Python refuses to write integers of more than some 4,300 digits as text."""

_AS_THEY_ARE: Final = frozenset({type(None), bool})
# What is not plain goes through `_convert`, so that there is one form of everything.
_PLAIN_ONLY: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Encoded(NamedTuple):
    """JSON on one line, and what it does not hold of the value: ``what: why``, `MAX_CUTS` of them at most."""

    text: str
    cut: tuple[str, ...] = ()


def encode(value: Any) -> Encoded:
    """The JSON of `value`."""
    try:
        # Most events: without a function of our own that would have to be made for each.
        return Encoded(orjson.dumps(value, None, _PLAIN_ONLY).decode())
    except orjson.JSONEncodeError:
        pass
    cuts: list[str] = []
    try:
        text = orjson.dumps(value, lambda odd: _convert(odd, 0, (), cuts), _PLAIN_ONLY).decode()
    except orjson.JSONEncodeError:
        # A lone surrogate, a key that is no string, an integer over 64 bits, a cycle, a great depth.
        del cuts[:]
        text = _ENCODER.encode(_convert(value, 0, (), cuts))
    return Encoded(text, tuple(dict.fromkeys(cuts))[:MAX_CUTS])


def jsonable(value: Any) -> Any:
    """`value` as the JSON of `encode` says it, read back."""
    return json.loads(encode(value).text)


def _convert(value: Any, depth: int, above: tuple[int, ...], cuts: list[str]) -> Any:
    # The kinds that nearly all of every event is made of, by their exact type.
    kind = type(value)
    if kind is str:
        return value if value.isascii() else clean_text(value)
    if kind in _AS_THEY_ARE or (kind is float and math.isfinite(value)):
        return value
    if isinstance(value, Enum):
        return _convert(value.value, depth, above, cuts)
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, int):
        if value.bit_length() <= MAX_INTEGER_BITS:
            return int(value)
        return _cut(cuts, f"an integer of {value.bit_length()} bits", "too large", "[integer too large]")
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if id(value) in above:
        return _cut(cuts, kind.__name__, "holds itself", "[cycle]")
    if depth >= MAX_DEPTH:
        return _cut(cuts, kind.__name__, f"nested deeper than {MAX_DEPTH}", "[too deep]")
    try:
        parts = _parts(value, cuts)
        below = (*above, id(value))
        # Loops, not comprehensions: one frame per level, since the depth is bounded by Python's stack too.
        if isinstance(parts, dict | Mapping):
            members: dict[str, Any] = {}
            for name, part in parts.items():
                members[_key(name)] = _convert(part, depth + 1, below, cuts)
            return members
        if isinstance(parts, str):
            return parts
        if isinstance(parts, Sequence | Set | ValuesView):
            items: list[Any] = []
            for part in parts:
                items.append(_convert(part, depth + 1, below, cuts))
            return items
        return _convert(parts, depth + 1, below, cuts)
    except Exception as error:  # a graph's own object may raise anything from its methods
        reason = type(error).__name__
        return _cut(cuts, kind.__name__, f"raises {reason}", f"[not representable: {reason}]")


def _parts(value: Any, cuts: list[str]) -> Any:
    """What `value` is made of: members, items, a text that is final, or another value that stands for it."""
    if isinstance(value, dict | list | tuple) and not hasattr(value, "_asdict"):
        return value
    form = form_of(value)
    if form is not NO_FORM:
        return form
    if not isinstance(value, type):
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            return dump()
        if dataclasses.is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if hasattr(value, "_asdict"):
            return value._asdict()
        if isinstance(value, Mapping | Sequence | Set | ValuesView):
            return value
    return _cut(cuts, type(value).__name__, "has no form in JSON", clean_text(repr(value))[:MAX_REPR])


def _cut(cuts: list[str], what: str, why: str, instead: str) -> str:
    cuts.append(f"{what}: {why}")
    return instead


def _key(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    if isinstance(key, Enum):
        key = key.value
    return clean_text(key if isinstance(key, str) else str(key))
