"""A copy of a head: the same questions, for this job alone; nobody else's answers, and the subgraphs as they were."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from graphjobs.worker.checkpoints import checkpoint_saver
from graphjobs.worker.seed import NoSuchCheckpoint, seed
from tests.support.backend import Backend

Saver = BaseCheckpointSaver[Any]


class State(TypedDict, total=False):
    done: Annotated[list[str], operator.add]


RAN: list[str] = []
"""Nodes, in the order in which they ran to their end or to a question."""


@pytest.fixture(params=["memory", "dynamodb"])
def saver(request: pytest.FixtureRequest, aws: Backend) -> Iterator[Saver]:
    RAN.clear()
    yield InMemorySaver() if request.param == "memory" else checkpoint_saver(aws.settings)


@pytest.fixture
def thread(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names of threads that no other test uses."""
    return lambda name: f"{request.node.name}-{name}"


def node(name: str, *questions: str) -> Callable[[State], State]:
    def run(state: State) -> State:
        RAN.append(name)
        answers = [str(interrupt(question)) for question in questions]
        return {"done": ["-".join((name, *answers))]}

    return run


def graph(saver: Saver, *steps: dict[str, Any], **compiled: Any) -> Any:
    """Steps one after the other, each of nodes side by side."""
    builder: Any = StateGraph(State)
    before = [START]
    for step in steps:
        for name, each in step.items():
            builder.add_node(name, each)
            for one in before:
                builder.add_edge(one, name)
        before = list(step)
    for one in before:
        builder.add_edge(one, END)
    return builder.compile(checkpointer=saver, **compiled)


def on(thread: str, checkpoint_id: str | None = None) -> Any:
    configurable = {"thread_id": thread} | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})
    return {"configurable": configurable}


class Head:
    """What is known of the end of a job: its checkpoint thread and the checkpoint."""

    def __init__(self, app: Any, thread: str) -> None:
        state = app.get_state(on(thread))
        self.thread = thread
        self.checkpoint_id: str = state.config["configurable"]["checkpoint_id"]
        self.interrupts = [(each.id, each.value) for each in state.interrupts]
        self.values = state.values


def job(app: Any, saver: Saver, head: Head, thread: str, given: Any) -> Head:
    """The next job: it runs on a thread of its own, seeded with `head`."""
    seed(saver, source=head.thread, checkpoint_id=head.checkpoint_id, to=thread)
    app.invoke(given, on(thread, head.checkpoint_id), durability="sync")
    return Head(app, thread)


def first(app: Any, thread: str) -> Head:
    app.invoke({"done": []}, on(thread), durability="sync")
    return Head(app, thread)


def test_the_copy_asks_the_same_question_and_answers_are_independent(
    saver: Saver, thread: Callable[[str], str]
) -> None:
    app = graph(saver, {"plan": node("plan")}, {"ask": node("ask", "go on?")}, {"after": node("after")})
    head = first(app, thread("one"))
    before = list(saver.list(on(head.thread)))

    seed(saver, source=head.thread, checkpoint_id=head.checkpoint_id, to=thread("copy"))
    assert vars(Head(app, thread("copy"))) == vars(head) | {"thread": thread("copy")}

    yes = job(app, saver, head, thread("yes"), Command(resume="yes"))
    no = job(app, saver, head, thread("no"), Command(resume="no"))
    assert yes.values["done"] == ["plan", "ask-yes", "after"]
    assert no.values["done"] == ["plan", "ask-no", "after"]
    assert list(saver.list(on(head.thread))) == before, "the head is as it was"


def test_an_answer_that_led_to_the_next_question_is_kept(saver: Saver, thread: Callable[[str], str]) -> None:
    """Both questions are of one node, and so of one checkpoint: the second job ends where it began."""
    app = graph(saver, {"ask": node("ask", "who?", "when?")})
    who = first(app, thread("one"))
    when = job(app, saver, who, thread("two"), Command(resume="me"))
    assert (when.checkpoint_id, [value for _, value in when.interrupts]) == (who.checkpoint_id, ["when?"])
    for answer in ("now", "later"):
        end = job(app, saver, when, thread(answer), Command(resume={when.interrupts[0][0]: answer}))
        assert end.values["done"] == [f"ask-me-{answer}"]
    again = job(app, saver, who, thread("again"), Command(resume="you"))
    assert again.interrupts == when.interrupts, "the first question is still open where it was"


def test_an_answer_to_the_whole_checkpoint_is_not_given_to_a_later_question(
    saver: Saver, thread: Callable[[str], str]
) -> None:
    app = graph(saver, {"ask": node("ask", "one?", "two?", "three?")})
    one = first(app, thread("one"))
    two = job(app, saver, one, thread("two"), Command(resume="first"))
    three = job(app, saver, two, thread("three"), Command(resume={two.interrupts[0][0]: "second"}))
    assert [value for _, value in three.interrupts] == ["three?"]


def test_of_parallel_branches_those_that_are_done_are_not_run_again(saver: Saver, thread: Callable[[str], str]) -> None:
    app = graph(saver, {"quick": node("quick"), "left": node("left", "left?"), "right": node("right", "right?")})
    asking = first(app, thread("one"))
    questions = {value: name for name, value in asking.interrupts}
    half = job(app, saver, asking, thread("two"), Command(resume={questions["left?"]: "L"}))
    assert [value for _, value in half.interrupts] == ["right?"]
    end = job(app, saver, half, thread("three"), Command(resume="R"))
    assert sorted(end.values["done"]) == ["left-L", "quick", "right-R"]
    assert RAN.count("quick") == 1 and RAN.count("left") == 2


def test_a_subgraph_goes_on_where_it_asked(saver: Saver, thread: Callable[[str], str]) -> None:
    inner = graph(None, {"first": node("first")}, {"second": node("second", "sure?")})  # type: ignore[arg-type]
    app = graph(saver, {"sub": inner})
    asking = first(app, thread("one"))
    end = job(app, saver, asking, thread("two"), Command(resume="yes"))
    assert end.values["done"] == ["first", "second-yes"]
    assert RAN == ["first", "second", "second"]


def remembering(saver: Saver, *questions: str) -> Any:
    """A graph whose subgraph counts, on the thread, how often it was called."""
    inner = graph(True, {"count": node("count", *questions)})  # type: ignore[arg-type]

    def sub(state: State) -> State:
        return {"done": [str(len(inner.invoke({"done": []})["done"]))]}

    return graph(saver, {"sub": sub}, {"after": node("after")})


def test_what_a_subgraph_keeps_on_the_thread_comes_along_from_job_to_job(
    saver: Saver, thread: Callable[[str], str]
) -> None:
    app = remembering(saver)
    head = first(app, thread("1"))
    for number in ("2", "3"):
        head = job(app, saver, head, thread(number), {"done": []})
    assert head.values["done"] == ["1", "after", "2", "after", "3", "after"]


def test_a_fork_finds_what_the_subgraph_kept_then(saver: Saver, thread: Callable[[str], str]) -> None:
    app = remembering(saver)
    head = first(app, thread("1"))
    later = job(app, saver, head, thread("2"), {"done": []})
    app.invoke({"done": []}, on(head.thread), durability="sync")  # somebody else goes on on the head's own thread
    fork = job(app, saver, head, thread("fork"), {"done": []})
    assert fork.values == later.values == {"done": ["1", "after", "2", "after"]}


def test_a_subgraph_that_asks_and_keeps_its_state(saver: Saver, thread: Callable[[str], str]) -> None:
    app = remembering(saver, "again?")
    asking = first(app, thread("1"))
    yes, no = (job(app, saver, asking, thread(answer), Command(resume=answer)) for answer in ("yes", "no"))
    assert yes.values == no.values == {"done": ["1", "after"]}
    second = job(app, saver, yes, thread("2"), {"done": []})
    assert [value for _, value in second.interrupts] == ["again?"]
    assert job(app, saver, second, thread("3"), Command(resume="yes")).values["done"] == ["1", "after", "2", "after"]


def test_what_a_lost_step_had_saved_in_a_subgraph_does_not_come_along(
    saver: Saver, thread: Callable[[str], str]
) -> None:
    """Its worker was lost in the step; the next one began it again on a fork, and this time it took another way."""
    inner = graph(True, {"count": node("count")})  # type: ignore[arg-type]
    way = ["lost", "another way", "the last"]

    def sub(state: State) -> State:
        if (now := way.pop(0)) == "another way":
            return {"done": [now]}
        count = len(inner.invoke({"done": []})["done"])
        if now == "lost":
            raise ConnectionError
        return {"done": [str(count)]}

    builder: Any = StateGraph(State)
    builder.add_node("sub", sub)
    builder.add_edge(START, "sub")
    builder.add_conditional_edges("sub", lambda state: "sub" if way else END, ["sub", END])
    app = builder.compile(checkpointer=saver)
    with pytest.raises(ConnectionError):
        first(app, thread("1"))
    mark = Head(app, thread("1")).checkpoint_id
    app.invoke(None, on(thread("1"), mark), durability="sync", interrupt_after=["sub"])
    end = job(app, saver, Head(app, thread("1")), thread("2"), None)
    assert end.values["done"] == ["another way", "1"]


def test_there_must_be_a_head(saver: Saver, thread: Callable[[str], str]) -> None:
    with pytest.raises(NoSuchCheckpoint):
        seed(saver, source=thread("none"), checkpoint_id="1f0", to=thread("copy"))
