"""What a client is told of a graph's exception: as much as the setting allows, and where it was raised."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

from graphjobs.core import outcome as ends
from graphjobs.worker.failure import MAX_TEXT, failed
from graphjobs.worker.load_error import GraphLoadError
from tests.support.worker.recorded import record

GENERAL = ends.MESSAGES[ends.GRAPH_ERROR]


class State(TypedDict, total=False):
    """One value."""

    value: int


class Unprintable(Exception):
    """Raises when it is printed."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def told(error: BaseException, detail: str, where: str | None = "ask") -> dict[str, str] | None:
    return failed(ends.GRAPH_ERROR, error, where=where, detail=detail).error()


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("none", {"message": GENERAL}),
        ("class", {"message": GENERAL, "type": "KeyError", "where": "ask"}),
        ("message", {"message": "'tone'", "type": "KeyError", "where": "ask"}),
    ],
)
def test_the_setting_says_how_much(detail: str, expected: dict[str, str]) -> None:
    assert told(KeyError("tone"), detail) == {"code": "graph_error", **expected}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError(), GENERAL),
        (Unprintable(), GENERAL),
        (ValueError("a\ud800"), "a\ufffd"),
        (ValueError("x" * 10_000), "x" * MAX_TEXT),
        (ValueError("Bearer abc refused"), "Bearer [redacted] refused"),
    ],
)
def test_a_text_is_bounded_clean_and_without_tokens(error: Exception, message: str) -> None:
    made = told(error, "message", where=None)
    assert made == {"code": "graph_error", "message": message, "type": type(error).__name__}


def test_a_graph_that_cannot_be_loaded_tells_of_the_projects_own_exception() -> None:
    error = GraphLoadError("Graph 'a' cannot be imported.")
    error.__cause__ = ModuleNotFoundError("No module named 'x'")
    assert failed(ends.GRAPH_UNAVAILABLE, error, where=None, detail="class").error() == {
        "code": "graph_unavailable",
        "message": ends.MESSAGES[ends.GRAPH_UNAVAILABLE],
        "type": "ModuleNotFoundError",
    }


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("nested", [False, True])
def test_the_node_that_has_raised_is_named_by_its_path(how: str, nested: bool) -> None:
    def fail(state: State) -> Any:
        raise LookupError("nothing there")

    async def afail(state: State) -> Any:
        raise LookupError("nothing there")

    def graph_of(name: str, node: Any) -> Any:
        builder = StateGraph(State)
        builder.add_node(name, node)
        builder.add_edge(START, name)
        builder.add_edge(name, END)
        return builder.compile()

    inner = graph_of("fail", fail if how == "sync" else afail)
    run = record(graph_of("outer", inner) if nested else inner)
    assert run.outcome.error() == {
        "code": "graph_error",
        "message": GENERAL,
        "type": "LookupError",
        "where": "outer/fail" if nested else "fail",
    }
