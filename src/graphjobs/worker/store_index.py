"""Search by meaning in the store: vectors of what is put, and how near they are to a question.

An item holds its vectors itself, so they are written, expire and are deleted with it: 4 bytes per dimension, of length
1, so that the cosine is a sum of products. They are kept under the name of what made them; those of other embeddings
than today's count as none. A search compares every item under its prefix: it is exact, and sees what was just written.
"""

from __future__ import annotations

import asyncio
import math
import operator
import sys
import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langgraph.store.base import PutOp, SearchOp, get_text_at_path

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langgraph.store.base import Op

VECTORS: Final = "vectors"
"""The attribute of an item's vectors: a map, by the name of the embeddings that made them."""

FLOAT: Final = "f"
"""The type code of a vector's numbers, in an `array`: 32 bits."""

WHOLE: Final = ("$",)
"""Which part of a value is embedded where nothing is said: all of it, as JSON."""

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors by what they were made of: of the texts that are put, and of the questions that are asked."""

    texts: Mapping[str, Vector]
    questions: Mapping[str, Vector]


NOTHING: Final = Embedded({}, {})


class StoreIndex:
    """The ``store.index`` of one ``langgraph.json``.

    Attributes:
        dims: numbers per vector.
        maker: what vectors are kept under.
    """

    def __init__(self, config: Mapping[str, Any], load: Callable[[], Embeddings]) -> None:
        """`load` gives the embeddings; it is called at the first use, when the project's environment is there."""
        self.dims: int = config["dims"]
        self.maker: str = config["embed"]
        self._fields: Sequence[str] = config.get("fields") or WHOLE
        self._load = load
        self._loading = threading.Lock()
        self._loaded: Embeddings | None = None  # by the first thread that needs them, under `_loading`

    def embeddings(self) -> Embeddings:
        """The embeddings.

        Raises:
            GraphLoadError: they cannot be had.
        """
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def embed(self, ops: Sequence[Op]) -> Embedded:
        """Embed what `ops` put and ask; a text that comes twice once.

        Raises:
            GraphLoadError: the embeddings cannot be had.
            Exception: as they raise.
        """
        texts, questions = self._wanted(ops)
        if not texts and not questions:
            return NOTHING
        embeddings = self.embeddings()
        made = embeddings.embed_documents(texts) if texts else []
        return Embedded(dict(zip(texts, made, strict=True)), {each: embeddings.embed_query(each) for each in questions})

    async def aembed(self, ops: Sequence[Op]) -> Embedded:
        """As `embed`, by the embeddings' async methods."""
        texts, questions = self._wanted(ops)
        if not texts and not questions:
            return NOTHING
        embeddings = await asyncio.to_thread(self.embeddings)
        made = await embeddings.aembed_documents(texts) if texts else []
        answers = await asyncio.gather(*(embeddings.aembed_query(each) for each in questions))
        return Embedded(dict(zip(texts, made, strict=True)), dict(zip(questions, answers, strict=True)))

    def kept(self, op: PutOp, embedded: Embedded) -> bytes:
        """The vectors of an item, as they are kept; empty if nothing of it is embedded.

        Raises:
            ValueError: one has other dimensions than ``dims``, or no numbers.
        """
        return b"".join(self._unit(embedded.texts[text]).tobytes() for text in self._texts(op))

    def nearest(self, question: Vector) -> Callable[[Mapping[str, Any]], float | None]:
        """A function that gives, for an item as DynamoDB has it, the cosine of its nearest vector; None without one.

        Raises:
            ValueError: as `kept`.
        """
        wanted = self._unit(question).tolist()
        size = self.dims * array(FLOAT).itemsize

        def score(item: Mapping[str, Any]) -> float | None:
            kept = item.get(VECTORS, {"M": {}})["M"].get(self.maker, {"B": b""})["B"]
            if not kept or len(kept) % size:
                return None
            vectors = (array(FLOAT, kept[at : at + size]) for at in range(0, len(kept), size))
            return max(_product(wanted, each) for each in vectors)

        return score

    def _wanted(self, ops: Sequence[Op]) -> tuple[list[str], list[str]]:
        texts = [text for op in ops if isinstance(op, PutOp) for text in self._texts(op)]
        questions = [op.query for op in ops if isinstance(op, SearchOp) and op.query]
        return list(dict.fromkeys(texts)), list(dict.fromkeys(questions))

    def _texts(self, op: PutOp) -> list[str]:
        """What of the value of `op` is embedded: for each path a text, or several."""
        if op.value is None or op.index is False:
            return []
        paths = self._fields if op.index is None else op.index
        return [text for path in paths for text in get_text_at_path(op.value, path)]

    def _unit(self, vector: Vector) -> array[float]:
        numbers = [float(each) for each in vector]
        if len(numbers) != self.dims:
            raise ValueError(f"store.index: {self.maker} gives {len(numbers)} dimensions; dims says {self.dims}.")
        length = math.hypot(*numbers)
        if not math.isfinite(length):
            raise ValueError(f"store.index: {self.maker} gives a vector that holds no number.")
        return array(FLOAT, [each / length for each in numbers] if length else numbers)


def _product(one: Vector, other: Vector) -> float:
    if sys.version_info >= (3, 12):
        return math.sumprod(one, other)
    return float(sum(map(operator.mul, one, other)))
