"""Graphs that ask people as projects do: middleware, tools, subgraphs, branches, breakpoints of their own."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from tests.support.worker.scripted_model import ScriptedModel, call, piece
from tests.support.worker.talks import Talk, _hook

RAN: list[tuple[str, Any]] = []
"""What tools have done, in order."""


@tool
def pay(amount: int) -> str:
    """Pay an amount."""
    RAN.append(("pay", amount))
    return f"paid {amount}"


@tool
def mail(to: str) -> str:
    """Write to somebody."""
    RAN.append(("mail", to))
    return f"wrote to {to}"


@tool
def confirm(what: str) -> str:
    """Ask a person, from within the tool."""
    said = interrupt({"confirm": what})
    RAN.append(("confirm", said))
    return f"{what}: {said}"


def _agent(*calls: Any, **options: Any) -> Any:
    return create_agent(
        ScriptedModel(scripts=[[piece("", id="m1"), *calls], [piece("Done.")]]), [pay, mail, confirm], **options
    )


PAY_AND_MAIL = (
    call(0, '{"amount": 3}', name="pay", call_id="call-1"),
    call(1, '{"to": "ann"}', name="mail", call_id="call-2"),
)
reviewed = _agent(*PAY_AND_MAIL, middleware=[HumanInTheLoopMiddleware(interrupt_on={"pay": True, "mail": True})])
"""Two calls of tools at once, both to be approved."""

asking_tools = _agent(
    call(0, '{"what": "a"}', name="confirm", call_id="call-1"),
    call(1, '{"what": "b"}', name="confirm", call_id="call-2"),
)
"""Two tools at once, each of which asks."""


def _say(word: str) -> Any:
    return lambda state: {"said": [word]}


def _ask(question: str) -> Any:
    return lambda state: {"said": [f"{question}: {interrupt(question)}"]}


def nested() -> Any:
    """A subgraph as a node: a step, the question, a step; then a step of the outer graph."""
    inner: Any = StateGraph(Talk)
    inner.add_sequence([("before", _say("before")), ("ask", _ask("inner")), ("after", _say("after"))])
    inner.add_edge(START, "before")
    builder: Any = StateGraph(Talk)
    builder.add_sequence([("outer", inner.compile()), ("end", _say("end"))])
    builder.add_edge(START, "outer")
    return builder


def some_branches() -> Any:
    """Three branches of one node; every second one asks."""

    def branch(state: dict[str, int]) -> Talk:
        number = state["number"]
        said = interrupt(number) if number % 2 else "no need"
        _hook(f"branch {number}")
        RAN.append(("branch", number))
        return {"said": [f"{number}: {said}"]}

    builder: Any = StateGraph(Talk)
    builder.add_node("branch", branch)
    builder.add_node("end", _say("end"))
    builder.add_conditional_edges(START, lambda state: [Send("branch", {"number": number}) for number in range(4)])
    builder.add_edge("branch", "end")
    return builder


def to_parent() -> Any:
    """A subgraph that asks, and whose answer says where the outer graph goes on."""

    def ask(state: Talk) -> Command[Any]:
        where = interrupt("where?")
        return Command(graph=Command.PARENT, goto=where, update={"said": [f"to {where}"]})

    inner: Any = StateGraph(Talk)
    inner.add_node("ask", ask)
    inner.add_edge(START, "ask")
    builder: Any = StateGraph(Talk)
    builder.add_node("sub", inner.compile())
    for name in ("left", "right"):
        builder.add_node(name, _say(name))
        builder.add_edge(name, END)
    builder.add_edge(START, "sub")
    return builder


class Amount(BaseModel):
    """An answer of a form of its own."""

    amount: int


def formal() -> Any:
    """Asks twice in one node; the first answer has a schema."""

    def ask(state: Talk) -> Talk:
        amount = interrupt("how much?", response_schema=Amount)
        return {"said": [f"{amount.amount} for {interrupt('for whom?')}"]}

    builder: Any = StateGraph(Talk)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    return builder


def breakpoint_of_its_own() -> Any:
    """Compiled to stop before its second node, which asks as well."""
    builder: Any = StateGraph(Talk)
    builder.add_sequence([("write", _say("draft")), ("send", _ask("Send this?"))])
    builder.add_edge(START, "write")
    return builder.compile(interrupt_before=["send"])


@entrypoint()
def counting(given: dict[str, Any], *, previous: int | None = None) -> entrypoint.final[str, int]:
    """A functional graph that remembers how often it was called."""
    count = (previous or 0) + 1
    return entrypoint.final(value=f"call {count}", save=count)


@task
def draft(text: str) -> str:
    """A step of the functional graph; what it gives is kept while somebody is asked."""
    _hook("draft")
    RAN.append(("draft", text))
    return f"draft of {text}"


@task
def reviewed_by(name: str, text: str) -> str:
    """A step that asks."""
    said = interrupt({name: text})
    _hook(name)
    RAN.append((name, said))
    return f"{text}, {name}: {said}"


@entrypoint()
def asking_tasks(text: str, *, previous: list[str] | None = None) -> entrypoint.final[str, list[str]]:
    """A functional graph: a task, two that ask, and a question of its own; it remembers what came of it."""
    written = draft(text).result()
    for name in ("ann", "ben"):
        written = reviewed_by(name, written).result()
    result = f"{interrupt(written)} after {len(previous or [])}"
    return entrypoint.final(value=result, save=[*(previous or []), result])
