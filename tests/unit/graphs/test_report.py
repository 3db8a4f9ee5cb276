from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from starter import report
from starter.offline_model import OfflineChatModel
from starter.report import builder, graph

from tests.unit.graphs.streaming import Run, run


def result_of(value: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = asyncio.run(graph.ainvoke(value))  # type: ignore[call-overload]
    return result


def test_a_report_is_streamed_section_by_section() -> None:
    seen = run(graph, {"query": "환불 정책", "sections": 3})
    sections = [output["written"][0] for node, output in seen.updates if node == "write"]

    assert [node for node, _ in seen.updates] == ["plan", "write", "write", "write", "assemble"]
    assert seen.progress() == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert sections[0]["heading"] == "환불 정책"
    assert seen.text("write") == "".join(section["text"] for section in sections)
    assert seen.updates[-1][1]["sections"] == sections


def test_the_result_is_a_titled_markdown_text_and_its_sections() -> None:
    result = result_of({"query": "refund\nand  exchange", "sections": 2})
    assert result.keys() == {"title", "report", "sections"}
    assert result["title"] == "Report: refund and exchange"
    lines = result["report"].splitlines()
    assert lines[0] == "# Report: refund and exchange"
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [f"## {n}. {each['heading']}" for n, each in enumerate(result["sections"], 1)]
    assert all(section["text"] in result["report"] for section in result["sections"])


def test_a_report_has_six_sections_unless_told() -> None:
    assert len(result_of({"query": "배송"})["sections"]) == 6


def test_the_longest_report_repeats_no_heading() -> None:
    headings = [each["heading"] for each in result_of({"query": "환불", "sections": 50})["sections"]]
    assert len(set(headings)) == 50


def test_a_report_on_an_unknown_subject_says_so_first() -> None:
    result = result_of({"query": "quantum mechanics", "sections": 1})
    assert "nothing on this subject" in result["report"].splitlines()[2]
    assert "nothing on this subject" not in result_of({"query": "refund", "sections": 1})["report"]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"query": " "}, "query"),
        *(({"query": "q", "sections": wrong}, "sections") for wrong in (0, 51, "6", 2.5, True, None)),
        *(({"query": "q", "delay_seconds": wrong}, "delay_seconds") for wrong in (-1, 601, "1", True)),
        ({"query": "q", "delay_seconds": float("nan")}, "delay_seconds"),
    ],
)
def test_a_wrong_input_is_named(value: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"`{named}`"):
        run(graph, value)


def test_the_delay_comes_before_each_section(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    run(graph, {"query": "refund", "sections": 2, "delay_seconds": 3})
    # The pauses of 0 are those between the tokens of the offline model.
    assert [pause for pause in pauses if pause] == [3, 3]


def test_a_drained_report_is_carried_on_with_no_section_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    control = RunControl()
    calls = 0

    def model() -> OfflineChatModel:
        nonlocal calls
        calls += 1
        if calls == 2:
            control.request_drain("handoff")
        return OfflineChatModel(token_seconds=0)

    monkeypatch.setattr(report, "chat_model", model)
    saver = InMemorySaver(serde=JsonPlusSerializer(pickle_fallback=False))
    durable = builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    first, second = Run(), Run()

    async def drained_then_carried_on() -> dict[str, Any]:
        with pytest.raises(GraphDrained):
            await first.follow(durable, {"query": "환불", "sections": 4}, config=config, control=control)
        await second.follow(durable, None, config=config)
        return (await durable.aget_state(config)).values

    state = asyncio.run(drained_then_carried_on())

    assert first.progress() == [(0, 4), (1, 4), (2, 4)]
    assert second.progress() == [(3, 4), (4, 4)]
    assert calls == 4
    uncut = result_of({"query": "환불", "sections": 4})
    assert {key: state[key] for key in ("title", "report", "sections")} == uncut
    assert json.loads(json.dumps(state)) == state
