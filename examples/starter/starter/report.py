"""The `report` graph: a long report, one section per step. plan -> write (a loop) -> assemble.

Input `{"query": str, "sections"?: 1..50, "delay_seconds"?: 0..600}`, result `{"title", "report" (Markdown),
"sections": [{"heading", "text"}]}`. A step ends after each section, so a drained run loses no section and
writes none twice. The delay before each section stands for slow work in demonstrations.
"""

# No `from __future__ import annotations`: see `examples/starter/starter/chat.py`.
import asyncio
from operator import add
from typing import Annotated, Literal, NotRequired, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from starter import outline
from starter.model import chat_model
from starter.passage import passage
from starter.prompt import required_query, section_messages
from starter.retrieve import retrieve

DEFAULT_SECTIONS = 6
MAX_SECTIONS = 50
MAX_DELAY_SECONDS = 600


class Section(TypedDict):
    heading: str
    text: str


class ReportInput(TypedDict):
    query: str
    sections: NotRequired[int]
    delay_seconds: NotRequired[float]


class ReportState(TypedDict):
    query: str
    delay_seconds: float
    title: str
    preface: str
    outline: list[outline.Planned]
    written: Annotated[list[Section], add]


class ReportResult(TypedDict):
    """`sections`, the number asked for, becomes the sections themselves when the report is done."""

    title: str
    report: str
    sections: list[Section]


class Plan(TypedDict):
    """What the first node adds to the state."""

    delay_seconds: float
    title: str
    preface: str
    outline: list[outline.Planned]


class Written(TypedDict):
    """What a step of the loop adds to the state: the one section that it wrote."""

    written: list[Section]


async def plan(state: ReportInput, runtime: Runtime[None]) -> Plan:
    """Chooses the sections. Raises `ValueError` if the input is wrong."""
    query = required_query(state.get("query"))
    count = _section_count(state.get("sections", DEFAULT_SECTIONS))
    delay = _delay(state.get("delay_seconds", 0))
    matches = retrieve(query, limit=count)
    planned = outline.outline(query, matches, count)
    runtime.stream_writer({"type": "sources", "sources": [match.source for match in matches]})
    _progress(runtime, 0, len(planned), "planned the report")
    return {
        "delay_seconds": delay,
        "title": outline.title(query),
        "preface": outline.preface(query, matches),
        "outline": planned,
    }


async def write(state: ReportState, runtime: Runtime[None]) -> Written:
    """Writes the next section. Raises what the model raises, and `starter.model.ModelError`."""
    number = len(state["written"]) + 1
    section = state["outline"][number - 1]
    await asyncio.sleep(state["delay_seconds"])
    model = await asyncio.to_thread(chat_model)
    prompt = section_messages(state["query"], section["heading"], [passage(section["passage_id"])])
    reply = await model.ainvoke(prompt)
    _progress(runtime, number, len(state["outline"]), section["heading"])
    return {"written": [{"heading": section["heading"], "text": reply.text}]}


async def assemble(state: ReportState) -> ReportResult:
    """Joins the sections into one Markdown text."""
    numbered = (f"## {n}. {each['heading']}\n\n{each['text']}" for n, each in enumerate(state["written"], 1))
    blocks = [f"# {state['title']}", state["preface"], *numbered]
    report = "\n\n".join(block for block in blocks if block)
    return {"title": state["title"], "report": f"{report}\n", "sections": state["written"]}


def next_step(state: ReportState) -> Literal["write", "assemble"]:
    return "write" if len(state["written"]) < len(state["outline"]) else "assemble"


def _section_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SECTIONS:
        raise ValueError(f"`sections` must be a whole number from 1 to {MAX_SECTIONS}")
    return value


def _delay(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_DELAY_SECONDS:
        raise ValueError(f"`delay_seconds` must be a number from 0 to {MAX_DELAY_SECONDS}")
    return float(value)


def _progress(runtime: Runtime[None], step: int, total: int, message: str) -> None:
    runtime.stream_writer({"type": "progress", "step": step, "total": total, "message": message})


builder = StateGraph(ReportState, input_schema=ReportInput, output_schema=ReportResult)
builder.add_node("plan", plan)
builder.add_node("write", write)
builder.add_node("assemble", assemble)
builder.add_edge(START, "plan")
builder.add_edge("plan", "write")
builder.add_conditional_edges("write", next_step)
builder.add_edge("assemble", END)
graph = builder.compile(name="report")
