from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from starter.chat import builder, graph
from starter.passage import passage

from tests.unit.graphs.streaming import run


@pytest.mark.parametrize(
    ("query", "best"), [("환불 정책 알려줘", "ko/refund"), ("what is your refund policy?", "en/refund")]
)
def test_the_answer_is_streamed_and_rests_on_its_sources(query: str, best: str) -> None:
    seen = run(graph, {"query": query})
    (retrieved, answered) = seen.updates

    assert seen.progress() == [(1, 2), (2, 2)]
    (told,) = [each for each in seen.custom if each["type"] == "sources"]
    assert told["sources"][0]["id"] == best
    assert retrieved == ("retrieve", {"sources": told["sources"]})
    assert answered == ("answer", {"answer": seen.text("answer")})
    assert passage(best).text in seen.text("answer")
    assert len(seen.tokens) > 50
    # Everything about the sources is there before the first token, and every token before the last update.
    assert seen.order.index("messages") > seen.order.index("updates")
    assert seen.order[-1] == "updates"


def test_an_unrelated_question_is_answered_honestly() -> None:
    result = asyncio.run(graph.ainvoke({"query": "what is the capital of France?"}))
    assert result["sources"] == []
    assert "found nothing" in result["answer"]


def test_the_result_is_the_answer_and_its_sources_alone() -> None:
    result = asyncio.run(graph.ainvoke({"query": "환불", "something": "else"}))  # type: ignore[call-overload]
    assert result.keys() == {"answer", "sources"}


@pytest.mark.parametrize("value", [{"query": ""}, {"query": "  "}, {"query": 7}, {"query": None}])
def test_an_input_without_a_question_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`query`"):
        run(graph, value)


def test_the_state_is_plain_json_and_needs_no_pickle() -> None:
    saver = InMemorySaver(serde=JsonPlusSerializer(pickle_fallback=False))
    durable = builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    asyncio.run(durable.ainvoke({"query": "환불"}, config))
    state = asyncio.run(durable.aget_state(config)).values
    assert json.loads(json.dumps(state)) == state
