"""What a graph is given: the job's ``input``, and its ``query`` where the graph has a place for one."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel

from graphjobs.core.run_request import RunRequest
from graphjobs.worker.commands import command

QUERY = "query"
MESSAGES = "messages"


class InputInvalid(Exception):
    """The graph cannot be given what the job has; the message is one line."""


def graph_input(graph: Pregel[Any, Any, Any, Any], request: RunRequest) -> Any:
    """The input of `graph`: any JSON, as it was given; a command wins over it. None: to go on from the state there is.

    A query is put into it as ``query``, unless the input has one; or, where the graph takes ``messages`` and no
    ``query``, as one human message after those that were given.

    Raises:
        InputInvalid: the graph has no place for the query.
    """
    if request.command is not None:
        return command(request.command)
    given, query = request.input, request.query
    if query is None:
        return given
    if given is not None and not isinstance(given, dict):
        raise InputInvalid("A query goes with an input that is an object, or with none.")
    given = dict(given or {})
    members = input_members(graph)
    if QUERY in given:
        return given
    if members is None or QUERY in members:
        return {**given, QUERY: query}
    if MESSAGES not in members:
        names = ", ".join(sorted(members))
        raise InputInvalid(f"The graph's input has neither query nor messages, but {names}: send it as input.")
    before = given.get(MESSAGES) or []
    if not isinstance(before, list):
        before = [before]
    return {**given, MESSAGES: [*before, HumanMessage(query)]}


def input_members(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str] | None:
    """The names that the graph's input may have; None where any may, or where nothing says which.

    The function of a functional graph sees whatever it is given.

    Raises:
        InputInvalid: the input is no object at all.
    """
    if isinstance(graph, CompiledStateGraph):
        return frozenset(graph.builder.schemas[graph.builder.input_schema])
    try:
        schema = graph.get_input_jsonschema()
    except Exception:  # the annotation of a functional graph may be one that pydantic cannot describe
        return None
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type", "object") != "object":
        raise InputInvalid(f"The graph's input is of type {schema['type']}: send it as input.")
    properties = schema.get("properties")
    return frozenset(properties) if properties else None
