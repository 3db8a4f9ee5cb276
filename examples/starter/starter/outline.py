"""The outline of a report: which sections it has, and which passage each is written from.

What the knowledge base has on the question comes first, then the other policies in its language. A report
longer than the knowledge base goes over the policies again, from another side each time.
"""

from __future__ import annotations

from itertools import islice, product
from typing import TypedDict

from starter.passage import Language, Passage, language_of, passages
from starter.retrieve import Match

_SIDES: dict[Language, tuple[str, ...]] = {
    "ko": ("", "신청 방법", "조건과 예외", "비용과 기한", "자주 묻는 질문"),
    "en": ("", "how to apply", "conditions and exceptions", "costs and time limits", "common questions"),
}
_WHOLE_SHOP: dict[Language, str] = {
    "ko": "이 주제에 관한 내용은 지식 베이스에 없어, 마루상점의 정책 전반을 정리했습니다.",
    "en": "The knowledge base has nothing on this subject; these are the policies of Maru Store in general.",
}
_TITLES: dict[Language, str] = {"ko": "보고서: {subject}", "en": "Report: {subject}"}
_SUBJECT_LENGTH = 120


class Planned(TypedDict):
    """A section that is still to be written."""

    heading: str
    passage_id: str


def outline(query: str, matches: list[Match], count: int) -> list[Planned]:
    """`count` sections, fewer only if every side of every policy has one."""
    language = language_of(query)
    ranked: dict[str, Passage] = {match.passage.id: match.passage for match in matches}
    for other in passages():
        if other.language == language:
            ranked.setdefault(other.id, other)
    sides = islice(product(_SIDES[language], ranked.values()), count)
    return [{"heading": _heading(found.title, side), "passage_id": found.id} for side, found in sides]


def title(query: str) -> str:
    """The report's title, on one line."""
    subject = " ".join(query.split())
    shown = subject if len(subject) <= _SUBJECT_LENGTH else f"{subject[:_SUBJECT_LENGTH]}…"
    return _TITLES[language_of(query)].format(subject=shown)


def preface(query: str, matches: list[Match]) -> str:
    """What a reader must know first: that nothing on the subject was found. Empty if something was."""
    return "" if matches else _WHOLE_SHOP[language_of(query)]


def _heading(name: str, side: str) -> str:
    return f"{name}: {side}" if side else name
