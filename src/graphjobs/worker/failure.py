"""What a client is told of an exception of a graph: as much as ``GRAPHJOBS_ERROR_DETAIL`` allows."""

from __future__ import annotations

from typing import Final

from graphjobs.core import outcome as ends
from graphjobs.core.outcome import Outcome
from graphjobs.observability import redact
from graphjobs.worker.load_error import GraphLoadError
from graphjobs.worker.surrogates import clean_text

MAX_TEXT: Final = 2_000

NONE: Final = "none"
"""The code and its general message alone."""
CLASS: Final = "class"
"""The exception's class and the node as well."""
MESSAGE: Final = "message"
"""The exception's text in place of the general message: it may quote what users wrote."""


def failed(code: str, error: BaseException, *, where: str | None, detail: str) -> Outcome:
    """The outcome `code` that `error` has led to, which the node with the path `where` has raised."""
    if detail == NONE:
        return ends.failed(code)
    kind = error.cause_type if isinstance(error, GraphLoadError) else type(error).__name__
    text = _text(error) if detail == MESSAGE else ""
    return ends.failed(code, ends.Cause(kind, where, text or None))


def in_state(error: object, detail: str) -> str:
    """An error as LangGraph's API has it in a state: as Python writes it."""
    if not isinstance(error, BaseException):
        return str(error) if detail == MESSAGE else "Exception()"  # one that was read back from a checkpoint
    kind = "Exception" if detail == NONE else type(error).__name__
    return f"{kind}({_text(error)!r})" if detail == MESSAGE else f"{kind}()"


def _text(error: BaseException) -> str:
    try:
        return redact(clean_text(str(error)))[:MAX_TEXT].strip()
    except Exception:  # an exception of the graph's own may raise anything when it is printed
        return ""
