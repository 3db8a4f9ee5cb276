"""Graphs whose events are known beforehand, and a journal of which worker ran which step of them."""

from __future__ import annotations

import asyncio
import inspect
import operator
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

JOURNAL: list[tuple[str, str]] = []
"""Worker and step, in the order in which steps began."""

HOOKS: dict[str, Callable[[], Any]] = {}
"""What a test has happen within a step: its name to what is called, once."""

_worker = ["none"]


def clear() -> None:
    """Forget journal and hooks."""
    JOURNAL.clear()
    HOOKS.clear()
    HELD.clear()


def begin(worker: str) -> None:
    """From now on steps are run by `worker`."""
    _worker[0] = worker


def steps_of(worker: str) -> list[str]:
    """The steps that `worker` began."""
    return [step for name, step in JOURNAL if name == worker]


class State(TypedDict, total=False):
    """`rounds` to do and what has been done."""

    rounds: int
    round: int
    done: Annotated[list[str], operator.add]
    words: Annotated[list[str], operator.add]


def _began(step: str) -> None:
    JOURNAL.append((_worker[0], step))


def _hook(step: str) -> Any:
    return HOOKS.pop(step, lambda: None)()


def _work(node: str, state: State) -> dict[str, Any]:
    step = f"{node}-{state.get('round', 0)}"
    _began(step)
    write = get_stream_writer()
    for index in range(2):
        write({"type": "work", "step": step, "index": index})
    return {"done": [step]}


def plan(state: State) -> dict[str, Any]:
    """Begin a round."""
    number = state.get("round", 0) + 1
    _began(f"plan-{number}")
    _hook(f"plan-{number}")
    return {"round": number, "done": [f"plan-{number}"]}


def left(state: State) -> dict[str, Any]:
    """A synchronous branch."""
    return _work("left", state)


async def right(state: State) -> dict[str, Any]:
    """An asynchronous branch."""
    await asyncio.sleep(0)
    return _work("right", state)


def join(state: State) -> dict[str, Any]:
    """The end of a round."""
    return _work("join", state)


def parallel() -> StateGraph[Any]:
    """Rounds of two branches, one synchronous and one asynchronous, which are joined."""
    builder: Any = StateGraph(State)
    builder.add_node("plan", plan)
    builder.add_node("left", left)
    builder.add_node("right", right)
    builder.add_node("join", join)
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "left")
    builder.add_edge("plan", "right")
    builder.add_edge(["left", "right"], "join")
    builder.add_conditional_edges("join", lambda state: END if state["round"] >= state["rounds"] else "plan")
    return builder  # type: ignore[no-any-return]


def rounds() -> StateGraph[Any]:
    """One step after the other, `rounds` times."""
    builder: Any = StateGraph(State)
    builder.add_node("plan", plan)
    builder.add_edge(START, "plan")
    builder.add_conditional_edges("plan", lambda state: END if state["round"] >= state["rounds"] else "plan")
    return builder  # type: ignore[no-any-return]


async def turn(state: State) -> dict[str, Any]:
    """One round, awaited."""
    number = state.get("round", 0) + 1
    _began(f"turn-{number}")
    result = _hook(f"turn-{number}")
    if inspect.isawaitable(result):
        await result
    return {"round": number, "done": [f"turn-{number}"]}


def turns() -> StateGraph[Any]:
    """One asynchronous step after the other, `rounds` times."""
    builder: Any = StateGraph(State)
    builder.add_node("turn", turn)
    builder.add_edge(START, "turn")
    builder.add_conditional_edges("turn", lambda state: END if state["round"] >= state["rounds"] else "turn")
    return builder  # type: ignore[no-any-return]


def nested() -> StateGraph[Any]:
    """A step before, a subgraph of two steps, a step after."""
    inner: Any = StateGraph(State)
    inner.add_node("left", left)
    inner.add_node("right", right)
    inner.add_edge(START, "left")
    inner.add_edge("left", "right")

    async def sub(state: State) -> dict[str, Any]:
        result = await compiled.ainvoke({"round": state["round"]})
        return {"done": list(result["done"])}

    compiled = inner.compile()
    builder: Any = StateGraph(State)
    builder.add_node("plan", plan)
    builder.add_node("sub", sub)
    builder.add_node("join", join)
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "sub")
    builder.add_edge("sub", "join")
    return builder  # type: ignore[no-any-return]


def _answers(*words: str) -> Iterator[AIMessage]:
    yield AIMessage(" ".join(words))


async def speak(state: State) -> dict[str, Any]:
    """Tokens of a model, awaited."""
    _began("speak")
    answer = await GenericFakeChatModel(messages=_answers("one", "two")).ainvoke("go")
    return {"words": [str(answer.text)]}


def reply(state: State) -> dict[str, Any]:
    """Tokens of a model, in a thread."""
    _began("reply")
    answer = GenericFakeChatModel(messages=_answers("three", "four")).invoke("go")
    return {"words": [str(answer.text)]}


def tokens() -> StateGraph[Any]:
    """Two steps that stream the tokens of a model."""
    builder: Any = StateGraph(State)
    builder.add_node("speak", speak)
    builder.add_node("reply", reply)
    builder.add_edge(START, "speak")
    builder.add_edge("speak", "reply")
    return builder  # type: ignore[no-any-return]


def in_thread(state: State) -> dict[str, Any]:
    """Does what the hook says, in a thread."""
    _began("in_thread")
    return _output("in_thread", _hook("in_thread"))


async def on_loop(state: State) -> dict[str, Any]:
    """Does what the hook says, on the event loop."""
    _began("on_loop")
    result = _hook("on_loop")
    return _output("on_loop", await result if inspect.isawaitable(result) else result)


def _output(node: str, result: Any) -> dict[str, Any]:
    return result if isinstance(result, dict) else {"done": [node]}


def sync_hook() -> StateGraph[Any]:
    """One synchronous step."""
    return _single(in_thread)


def async_hook() -> StateGraph[Any]:
    """One asynchronous step."""
    return _single(on_loop)


def _single(node: Any) -> StateGraph[Any]:
    builder: Any = StateGraph(State)
    builder.add_node("only", node)
    builder.add_edge(START, "only")
    return builder  # type: ignore[no-any-return]


def crowd() -> StateGraph[Any]:
    """Three synchronous steps side by side."""
    builder: Any = StateGraph(State)
    for number in range(3):
        builder.add_node(f"crowd-{number}", lambda state, number=number: _output("crowd", _hook(f"crowd-{number}")))
        builder.add_edge(START, f"crowd-{number}")
    return builder  # type: ignore[no-any-return]


def _noise(size: int) -> str:
    """Text that does not shrink."""
    return random.Random(size).randbytes(size).hex()


def load(state: State) -> dict[str, Any]:
    """A step whose event and state are long, and do not shrink."""
    _began("load")
    get_stream_writer()({"type": "work", "step": "load-0", "text": _noise(2_500)})
    return {"done": ["load"], "words": [_noise(3_000)]}


def carry(state: State) -> dict[str, Any]:
    """A step that leaves it as it is."""
    _began("carry")
    return {"done": ["carry"]}


def unload(state: State) -> dict[str, Any]:
    """A step that needs it."""
    _began("unload")
    _hook("unload")
    return {"done": ["unload"], "words": [str(len(state["words"][0]))]}


def heavy() -> StateGraph[Any]:
    """Steps with much between them."""
    builder: Any = StateGraph(State)
    builder.add_sequence([load, carry, unload])
    builder.add_edge(START, "load")
    return builder  # type: ignore[no-any-return]


HELD: list[str] = []
"""What happened to the resource that the factory `held` holds open, in order."""


@asynccontextmanager
async def held(config: dict[str, Any]) -> AsyncIterator[StateGraph[Any]]:
    """A factory that holds a resource open; leaving it raises a group, as task groups make of what passes them."""
    HELD.append(f"entered as {config['configurable']['graph_id']}")
    try:
        yield turns()
    except BaseException as error:
        raise BaseExceptionGroup("of a task group", [error]) from error
    finally:
        await asyncio.sleep(0)
        HELD.append("left")
