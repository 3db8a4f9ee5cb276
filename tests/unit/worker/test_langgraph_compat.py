"""What `langgraph_compat` says of LangGraph is so: a release that changes one of these names fails here by its name."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import CallbackManager
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_store, get_stream_writer
from langgraph.errors import GraphDrained
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy, interrupt

from graphjobs.worker import langgraph_compat as compat
from graphjobs.worker.langgraph_compat import OwnSteps, Part, namespace_of_this_task, streaming_into


class State(TypedDict, total=False):
    """One value."""

    value: Any


def chain(node: Any, **options: Any) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("node", node, **options)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder


def run(graph: Any, *modes: str, store: Any = None, handlers: Any = (), **options: Any) -> tuple[list[Part], list[Any]]:
    """The parts that the graph puts into our stream, and what its nodes hand to our writer."""
    parts: list[Part] = []
    written: list[Any] = []
    write = lambda value: written.append((namespace_of_this_task(), value))  # noqa: E731
    configurable = {"thread_id": "t", **streaming_into(parts.append, frozenset(modes), write, store)}
    config = {"configurable": configurable, "callbacks": list(handlers)}

    async def follow() -> None:
        async for _ in graph.astream({"value": 1}, config, stream_mode="updates", **options):
            pass

    asyncio.run(follow())
    return parts, written


@pytest.mark.parametrize("how", ["sync", "async"])
def test_config_key_stream_gets_the_parts_of_a_graph_and_of_its_subgraphs(how: str) -> None:
    inner = chain(lambda state: {"value": state["value"] + 1}).compile()

    def call(state: State) -> Any:
        return inner.invoke(state)

    async def acall(state: State) -> Any:
        return await inner.ainvoke(state)

    parts, _ = run(chain(call if how == "sync" else acall).compile(), "updates")
    (inside, one, update), (outside, other, _) = parts
    assert (one, update, other, outside) == ("updates", {"node": {"value": 2}}, "updates", ())
    assert [step.partition(":")[0] for step in inside] == ["node"]


def test_config_key_runtime_gives_nodes_our_writer_and_the_store() -> None:
    store = InMemoryStore()

    def node(state: State) -> None:
        get_stream_writer()(type(get_store()).__name__)

    _, written = run(chain(node).compile(), "custom", store=store)
    ((namespace, value),) = written
    assert value == "InMemoryStore"
    assert [step.partition(":")[0] for step in namespace] == ["node"], "CONFIG_KEY_CHECKPOINT_NS, NS_SEP"


def test_a_tasks_namespace_is_that_of_its_caller_and_its_own_while_it_is_of_the_same_graph() -> None:
    @task
    def shout(text: str) -> str:
        get_stream_writer()(text)
        return text

    @entrypoint()
    def work(given: Any) -> Any:
        return shout("a").result()

    ((namespace, _),) = run(work, "custom")[1]
    assert [step.partition(":")[0] for step in namespace] == ["work", "shout"]
    metadata = {"langgraph_checkpoint_ns": "work:1|shout:2", "langgraph_path": ("__pregel_push", ("x",), 0, True)}
    assert compat.graph_namespace(metadata) == ()
    assert compat.namespace_of(metadata) == ("work:1", "shout:2")


def test_the_messages_handler_takes_a_stream_and_is_called_where_the_model_runs() -> None:
    made = compat.StreamMessagesHandler(lambda part: None, subgraphs=True)
    assert made.run_inline and made.subgraphs
    assert CallbackManager.configure([made]).handlers == [made]


def test_the_messages_handler_keeps_what_the_worker_builds_on() -> None:
    handler = compat.StreamMessagesHandler(lambda part: None, subgraphs=True)
    assert handler.metadata == {} and handler.seen == set() and callable(handler._emit)


def test_an_update_is_told_of_right_before_the_result_of_its_task() -> None:
    (_, one, update), (_, other, result) = [
        part
        for part in run(chain(lambda state: {"value": 2}).compile(), "updates", "tasks")[0]
        if "input" not in part[2]
    ]
    assert (one, other, update, result["name"]) == ("updates", "tasks", {"node": {"value": 2}}, "node")
    assert {"id", "name", "result", "error", "interrupts"} <= set(result)


def test_interrupt_and_about_stand_in_an_update_beside_nodes() -> None:
    parts, _ = run(chain(lambda state: interrupt("?")).compile(checkpointer=InMemorySaver()), "updates")
    assert [set(data) for _, _, data in parts] == [{compat.INTERRUPT}]
    cached = chain(lambda state: {"value": 2}, cache_policy=CachePolicy()).compile(cache=InMemoryCache())
    run(cached, "updates")
    assert [set(data) for _, _, data in run(cached, "updates")[0]] == [{"node", compat.ABOUT}]


def test_drain_requested_is_asked_by_subgraphs_too_and_only_the_graph_is_told() -> None:
    inner = StateGraph(State)
    control = OwnSteps()

    async def one(state: State) -> Any:
        control.request_drain("deadline")
        return {"value": state["value"] + 1}

    inner.add_node("one", one)
    inner.add_node("two", lambda state: {"value": state["value"] + 1})
    inner.add_edge(START, "one")
    inner.add_edge("one", "two")
    inner.add_edge("two", END)
    builder = StateGraph(State)
    builder.add_node("inner", inner.compile())
    builder.add_node("after", lambda state: {"value": "never"})
    builder.add_edge(START, "inner")
    builder.add_edge("inner", "after")
    builder.add_edge("after", END)
    seen: list[Any] = []

    async def follow() -> None:
        control.task = asyncio.current_task()
        async for part in builder.compile().astream({"value": 0}, control=control):
            seen.append(part)

    with pytest.raises(GraphDrained):
        asyncio.run(follow())
    assert seen == [{"inner": {"value": 2}}], "no step of the subgraph is left half done"
