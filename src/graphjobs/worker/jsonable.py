"""Makes JSON of whatever a graph puts in its state or writes to its stream; never fails.

What JSON has no form for becomes, in this order of preference: what the object itself offers
(``model_dump``, dataclass fields), a plain equivalent (a list for a set, ISO 8601 for a date), base64 for
bytes, null for NaN and infinities, and in the end its ``repr``, shortened. Lone surrogates, which UTF-8
cannot carry, become U+FFFD. Cycles and depths beyond `MAX_DEPTH` are cut with a word that says so.

`encode` gives the JSON itself. What is plain already, as nearly all of every event is, it encodes as it stands:
that is most of what a token costs the worker.
"""

import base64
import dataclasses
import datetime
import json
import math
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson

from graphjobs.worker.surrogates import clean_text

MAX_DEPTH: Final = 64
MAX_REPR: Final = 500
MAX_INTEGER_BITS: Final = 12_000
"""Python refuses to write integers of more than some 4,300 digits as text."""

_AS_THEY_ARE: Final = frozenset({type(None), bool})
# What is not plain goes through `jsonable`, so that there is one form of everything.
_PLAIN_ONLY: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def jsonable(value: Any) -> Any:
    """`value` as something that `json.dumps(..., allow_nan=False)` takes and UTF-8 can carry."""
    return _convert(value, 0, ())


def encode(value: Any) -> str:
    """The JSON of `jsonable(value)`, on one line; plain values may be nested deeper than that would leave them."""
    try:
        return orjson.dumps(value, jsonable, _PLAIN_ONLY).decode()
    except orjson.JSONEncodeError:
        # A lone surrogate, a key that is no string, an integer over 64 bits, a cycle.
        return _ENCODER.encode(jsonable(value))


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _convert(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    # The kinds that nearly all of every event is made of, by their exact type: this runs for each token.
    kind = type(value)
    if kind is str:
        return value if value.isascii() else clean_text(value)
    if kind in _AS_THEY_ARE or (kind is float and math.isfinite(value)):
        return value
    if isinstance(value, Enum):
        return _convert(value.value, depth + 1, above)
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, int):
        return int(value) if value.bit_length() <= MAX_INTEGER_BITS else "[integer too large]"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if id(value) in above:
        return "[cycle]"
    if depth >= MAX_DEPTH:
        return "[too deep]"
    try:
        return _compound(value, depth + 1, (*above, id(value)))
    except Exception as error:  # a graph's own object may raise anything from its methods
        return f"[not representable: {type(error).__name__}]"


def _compound(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    if isinstance(value, dict | Mapping):  # the first is much the quicker to tell
        return {_key(key): _convert(item, depth, above) for key, item in value.items()}
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return _convert(dump(), depth, above)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _convert(getattr(value, field.name), depth, above) for field in fields}
    if hasattr(value, "_asdict"):
        return _convert(value._asdict(), depth, above)
    if isinstance(value, Sequence | Set):
        return [_convert(item, depth, above) for item in value]
    return clean_text(repr(value))[:MAX_REPR]


def _key(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    if isinstance(key, Enum):
        key = key.value
    return clean_text(key if isinstance(key, str) else str(key))
