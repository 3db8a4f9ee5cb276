"""JSON forms of single values: of the standard library, and of numpy and pandas if they are there.

numpy and pandas are told by what their objects offer, so that neither has to be installed.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import re
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

NO_FORM: Final = object()
"""The value has no form of its own here."""

_TEXTS: Final = (
    UUID,
    Decimal,
    Fraction,
    complex,
    datetime.tzinfo,
    zoneinfo.ZoneInfo,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)


def form_of(value: Any) -> Any:
    """A value, of plain types or nearer to them, that says the same; `NO_FORM` if there is none."""
    if isinstance(value, type):
        return NO_FORM
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        text = value.isoformat()
        return None if text == "NaT" else text  # pandas' missing time calls itself one
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, re.Pattern):
        return value.pattern
    if hasattr(value, "dtype"):
        return _of_numpy(value)
    if type(value).__module__.partition(".")[0] == "pandas":
        return _of_pandas(value)
    return NO_FORM


def _of_numpy(value: Any) -> Any:
    """A scalar or an array of numpy, or a series or an index of pandas."""
    kind = getattr(value.dtype, "kind", "O")
    if kind in "Mm":  # its own integers are in units that only it knows; a text is ISO 8601
        texts = value.astype(str)
        return None if str(texts) == "NaT" else texts.tolist()
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else NO_FORM


def _of_pandas(value: Any) -> Any:
    """A table is a list of its rows; what is missing is null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict("records")
    return None if type(value).__name__ in ("NAType", "NaTType") else NO_FORM
