"""Versions of what is stored. A release may be taken back: what a newer one has written is opaque to an older one.

Each kind of item has a version, to be raised with a change that older code would misread. Slots and checkpoints are
written so often that version 1 is not written: an item that says nothing is of that version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ATTRIBUTE: Final = "v"


class NewerVersion(Exception):
    """What a newer release has written, after which an older one was put back: not for this one to touch."""


def stamp(version: int) -> dict[str, Any]:
    """The attribute that says the version; none for the first one."""
    return {ATTRIBUTE: {"N": str(version)}} if version > 1 else {}


def version_of(item: Mapping[str, Any]) -> int:
    """The version of an item, in DynamoDB's low-level form."""
    return int(item.get(ATTRIBUTE, {"N": "1"})["N"])
