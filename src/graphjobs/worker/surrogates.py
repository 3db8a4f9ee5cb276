"""Halves of characters: a model's text may be cut between the two surrogates of one, and UTF-8 can carry neither."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE: Final = re.compile("[\ud800-\udfff]")
REPLACEMENT: Final = "\ufffd"


def clean_text(text: str) -> str:
    """`text` with the halves of a character joined, and U+FFFD for one that has no other half."""
    if text.isascii() or not _LONE.search(text):
        return text
    joined = _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _LONE.sub(REPLACEMENT, joined)


class Halves:
    """The first halves that wait for the text that follows them, each under its own key."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, str] = {}

    def joined(self, key: Hashable, text: str) -> str:
        """`text` with what was kept before it, and without a first half at its end, which is kept."""
        if self._kept and text:
            text = self._kept.pop(key, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._kept[key] = text[-1]
            text = text[:-1]
        return text

    def left(self, key: Hashable) -> str:
        """What was kept and has no other half."""
        return REPLACEMENT if self._kept.pop(key, None) else ""
