"""LangGraph's `Command` of a request: an answer, a change of the state, where to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import Command, Send


def command(given: Mapping[str, Any]) -> Command[Any]:
    """The command of ``{resume?, update?, goto?}``; a node of `goto` may have an input of its own."""
    members: dict[str, Any] = {}
    if "resume" in given:
        members["resume"] = given["resume"]
    if given.get("update") is not None:
        update = given["update"]
        members["update"] = [tuple(pair) for pair in update] if isinstance(update, list) else update
    if given.get("goto") is not None:
        goto = given["goto"]
        members["goto"] = [_node(each) for each in goto] if isinstance(goto, list) else _node(goto)
    return Command(**members)


def _node(where: str | Mapping[str, Any]) -> str | Send:
    return where if isinstance(where, str) else Send(where["node"], where.get("input"))
