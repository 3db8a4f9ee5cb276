"""A conversation whose subgraph keeps notes of its own on the thread, and asks about each question mark in them."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from tests.support.worker.talks import Talk, _hook


class Shared(TypedDict, total=False):
    """What the subgraph is given and gives back."""

    word: str
    kept: str


class Notes(Shared, total=False):
    """What it remembers from turn to turn."""

    notes: Annotated[list[str], operator.add]


class Noted(Talk, Shared, total=False):
    """The state of the graph around it, which does not have the notes."""


def _note(state: Notes) -> Notes:
    _hook("note")
    return {"notes": [state["word"]]}


def _check(state: Notes) -> Notes:
    answers = [str(interrupt(f"keep {state['word']}")) for _ in range(state["word"].count("?"))]
    _hook("checked")
    return {"notes": answers, "kept": " ".join([*state["notes"], *answers])}


def _notes() -> Any:
    builder: Any = StateGraph(Notes)
    builder.add_sequence([("note", _note), ("check", _check)])
    builder.add_edge(START, "note")
    return builder.compile(checkpointer=True)


def _around(keep: Any) -> Any:
    def hear(state: Noted) -> Noted:
        return {"word": state["said"][-1]}

    def tell(state: Noted) -> Noted:
        _hook("tell")
        return {"said": [f"kept {state['kept']}"]}

    builder: Any = StateGraph(Noted)
    builder.add_sequence([("hear", hear), ("keep", keep), ("tell", tell)])
    builder.add_edge(START, "hear")
    return builder


def keeping() -> Any:
    """The subgraph is a node."""
    return _around(_notes())


def calling() -> Any:
    """The subgraph is called by a node."""
    notes = _notes()
    return _around(lambda state: {"kept": notes.invoke({"word": state["word"]})["kept"]})


def deep() -> Any:
    """The subgraph is in a subgraph."""
    builder: Any = StateGraph(Noted)
    builder.add_node("outer", keeping().compile())
    builder.add_edge(START, "outer")
    return builder


def rounds() -> Any:
    """A turn of several rounds, one for each word that it is given; the last of them may be asked about."""
    notes = _notes()

    def keep(state: Noted) -> Noted:
        words = [each for each in state["said"] if not each.startswith("kept ")]
        word = words[len(state["said"]) - len(words)]
        return {"said": [f"kept {notes.invoke({'word': word})['kept']}"]}

    def all_kept(state: Noted) -> str:
        return END if 2 * sum(each.startswith("kept ") for each in state["said"]) == len(state["said"]) else "keep"

    builder: Any = StateGraph(Noted)
    builder.add_node("keep", keep)
    builder.add_edge(START, "keep")
    builder.add_conditional_edges("keep", all_kept, ["keep", END])
    return builder
