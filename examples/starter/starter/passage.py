"""The knowledge base: one passage a file, `knowledge/<language>/<topic>.md`.

A file is a title (`# Refund policy`), a line of keywords, and the text. The passages are read once, on first
use, and never change while the process lives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["ko", "en"]

LANGUAGES: tuple[Language, ...] = ("ko", "en")
_FOLDER = Path(__file__).parent / "knowledge"
_FILE = re.compile(r"# (?P<title>[^\n]+)\n\nKeywords: (?P<keywords>[^\n]+)\n\n(?P<text>.+)", re.DOTALL)
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class Passage:
    """One policy in one language; `keywords` are the phrases by which a question names its topic."""

    id: str
    language: Language
    title: str
    keywords: tuple[str, ...]
    text: str


@cache
def passages() -> tuple[Passage, ...]:
    """All passages, ordered by language and id. Raises `ValueError` for a file that has another form."""
    return tuple(_read(path, language) for language in LANGUAGES for path in sorted((_FOLDER / language).glob("*.md")))


def passage(passage_id: str) -> Passage:
    """The passage with this id, such as `ko/refund`. Raises `LookupError` if there is none."""
    for each in passages():
        if each.id == passage_id:
            return each
    raise LookupError(f"the knowledge base has no passage {passage_id!r}")


def language_of(text: str) -> Language:
    """`ko` if the text has any Hangul (whole syllables or jamo), else `en`."""
    return "ko" if _HANGUL.search(text) else "en"


def _read(path: Path, language: Language) -> Passage:
    parts = _FILE.fullmatch(path.read_text(encoding="utf-8"))
    if parts is None:
        raise ValueError(f"{language}/{path.name} is not a title, a line of keywords and a text")
    keywords = tuple(keyword.strip() for keyword in parts["keywords"].split(","))
    return Passage(f"{language}/{path.stem}", language, parts["title"], keywords, parts["text"].strip())
