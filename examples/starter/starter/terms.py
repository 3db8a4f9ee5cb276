"""What a text is compared by: words of Latin letters and digits, and pairs of Hangul syllables.

Korean glues particles to its words (`환불은`, `환불을`). Pairs of syllables find the word in all of them
without a dictionary: `환불은` gives `환불` and `불은`, and the first is what the passage has.
"""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[가-힣]+|[a-z0-9]+")

_ENGLISH_STOP_WORD = re.compile(
    "a|about|am|an|and|any|are|as|at|be|by|can|could|did|do|does|for|from|get|give|has|have|how|i|if|in|into|"
    "is|it|its|know|like|ll|many|may|me|much|my|of|on|or|our|please|policies|policy|re|s|shall|should|t|tell|"
    "than|that|the|their|them|there|they|this|to|us|ve|want|was|we|were|what|when|where|which|who|why|will|"
    "with|would|you|your"
)
# Words of asking, and words so general that they name no topic. Only their start, since endings follow.
_KOREAN_STOP_WORD = re.compile(
    "알려|알고|궁금|설명|가르쳐|말해|어떻|어떤|어떠|어때|언제|어디|얼마|무엇|무슨|뭐|뭔|정책|안내|관련|대해|대한|"
    "부탁|해줘|해주|하나요|하려|되나|돼요|있나|있어|있습|싶어|싶습|주세요|인가요|합니다|됩니다|입니다"
)


def words(text: str) -> list[tuple[str, ...]]:
    """The words of a text that carry meaning, each as its terms (Hangul: its pairs).

    NFKC first, so that Hangul typed as separate jamo (as macOS does) is the same text.
    """
    found = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return [_terms(word) for word in found if not _is_stop_word(word)]


def terms(text: str) -> list[str]:
    """The terms of all words of a text, in order, with repeats."""
    return [term for word in words(text) for term in word]


def _is_stop_word(word: str) -> bool:
    if word.isascii():
        return len(word) == 1 or _ENGLISH_STOP_WORD.fullmatch(word) is not None
    return _KOREAN_STOP_WORD.match(word) is not None


def _terms(word: str) -> tuple[str, ...]:
    if word.isascii():
        plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
        return (word[:-1] if plural else word,)
    if len(word) == 1:
        return (word,)
    return tuple(word[start : start + 2] for start in range(len(word) - 1))
