"""Ranking of the knowledge base by Okapi BM25, deterministic and without any service.

A passage that shares a stray word with a question is not an answer to it. So a match must either be named by
the question (all of one of its keywords) or hold at least half of the question's weight; otherwise nothing is
found, and the caller says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import log
from typing import TypedDict

from starter.passage import Passage, passages
from starter.terms import terms, words

_SATURATION = 1.5  # k1 of BM25: how soon a term's repeats stop counting
_LENGTH_WEIGHT = 0.75  # b of BM25: how much a long passage is held against it
_COVERAGE = 0.5  # the share of a question's weight that an unnamed passage must hold
_TAIL = 0.25  # matches under this share of the best score are noise


class Source(TypedDict):
    """What a client is told about a passage that an answer rests on."""

    id: str
    title: str
    language: str
    score: float


@dataclass(frozen=True, slots=True)
class Match:
    """A passage and its BM25 score for one question; higher is better."""

    passage: Passage
    score: float

    @property
    def source(self) -> Source:
        found = self.passage
        return {
            "id": found.id,
            "title": found.title,
            "language": found.language,
            "score": round(self.score, 3),
        }


@dataclass(frozen=True, slots=True)
class _Entry:
    passage: Passage
    counts: Counter[str]
    length: int
    topics: tuple[frozenset[str], ...]


class Index:
    """An index of passages, fixed once it is built."""

    def __init__(self, collection: tuple[Passage, ...]) -> None:
        self._entries = [_entry(each) for each in collection]
        self._mean_length = sum(entry.length for entry in self._entries) / max(1, len(self._entries))
        self._frequency = Counter(term for entry in self._entries for term in entry.counts)

    def search(self, query: str, limit: int = 3) -> list[Match]:
        """At most `limit` matches, best first; none when the passages have nothing on the question."""
        asked = words(query)
        wanted = {term for word in asked for term in word}
        matches = [
            Match(entry.passage, self._score(entry, wanted))
            for entry in self._entries
            if _names(entry, wanted) or self._coverage(entry, asked) >= _COVERAGE
        ]
        matches.sort(key=lambda match: (-match.score, match.passage.id))
        return [match for match in matches[:limit] if match.score >= _TAIL * matches[0].score]

    def _score(self, entry: _Entry, wanted: set[str]) -> float:
        damping = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * entry.length / self._mean_length)
        # Sorted, since the order of a set of strings, and so the last bit of the sum, differs by process.
        return sum(
            self._rarity(term) * entry.counts[term] * (_SATURATION + 1) / (entry.counts[term] + damping)
            for term in sorted(wanted & entry.counts.keys())
        )

    def _coverage(self, entry: _Entry, asked: list[tuple[str, ...]]) -> float:
        """The share of the question's words, weighed by rarity, that the passage has.

        A word weighs as its rarest term that any passage knows, so that a Korean particle does not count
        against it; a word that none knows weighs most.
        """
        held = total = 0.0
        for word in asked:
            known = [term for term in word if term in self._frequency]
            weight = max((self._rarity(term) for term in known or word), default=0.0)
            total += weight
            held += max((self._rarity(term) for term in known if term in entry.counts), default=0.0)
        return held / total if total else 0.0

    def _rarity(self, term: str) -> float:
        """The inverse document frequency of BM25, never negative."""
        frequency = self._frequency[term]
        return log(1 + (len(self._entries) - frequency + 0.5) / (frequency + 0.5))


def retrieve(query: str, limit: int = 3) -> list[Match]:
    """The best matches of the bundled knowledge base for a question in Korean or English; may be empty."""
    return _bundled().search(query, limit)


@cache
def _bundled() -> Index:
    return Index(passages())


def _entry(found: Passage) -> _Entry:
    # A title and keywords say what a passage is about: they count three times and twice.
    counts = Counter(terms(found.title) * 3 + terms(" ".join(found.keywords)) * 2 + terms(found.text))
    topics = (frozenset(terms(keyword)) for keyword in found.keywords)
    return _Entry(found, counts, counts.total(), tuple(topic for topic in topics if topic))


def _names(entry: _Entry, wanted: set[str]) -> bool:
    return any(topic <= wanted for topic in entry.topics)
