"""Whatever a run may be resumed from is in the table: sequences that hypothesis makes up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from graphjobs.worker.checkpoints import ConfirmingSaver, Run, checkpoint_saver
from graphjobs.worker.run_checkpoints import RunCheckpoints
from tests.support.backend import Backend
from tests.support.worker.checkpoints import on


class Chain:
    """One worker's run: checkpoint after checkpoint of a state that grows, shrinks and changes."""

    def __init__(self, saver: ConfirmingSaver, run: Run, known: dict[str, Any]) -> None:
        self.saver, self.run, self.known = saver, run, known
        self.mark = run.resumed_at
        self.last = run.resumed_at
        self.view = None if not run.resumed_at else saver.get_tuple(on(run.thread, run.resumed_at))
        self.versions: dict[str, Any] = dict(self.view.checkpoint["channel_versions"]) if self.view else {}
        self.values = dict(known[self.last]) if self.last else {}

    def step(self, changes: dict[str, Any]) -> None:
        self.values |= changes
        for channel in changes:
            self.versions[channel] = self.versions.get(channel, 0) + 1
        checkpoint: Any = empty_checkpoint()
        checkpoint |= {"channel_values": dict(self.values), "channel_versions": dict(self.versions)}
        config = {"configurable": {"thread_id": self.run.thread, "checkpoint_ns": ""}}
        if self.last:
            config["configurable"]["checkpoint_id"] = self.last
        self.saver.put(config, checkpoint, {"source": "loop", "step": 1, "parents": {}}, {})  # type: ignore[arg-type]
        self.last = checkpoint["id"]
        self.known[self.last] = dict(self.values)


big = st.integers(0, 3).map(lambda number: chr(97 + number) * 2_000)
changes = st.dictionaries(
    st.sampled_from(["list", "other", "small"]),
    st.one_of(st.lists(big, max_size=12), st.text(max_size=20), st.lists(st.integers(-9, 9), max_size=3)),
    max_size=3,
)


@settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # shrinking takes minutes
@given(
    steps=st.lists(st.tuples(changes, st.booleans(), st.booleans()), min_size=3, max_size=10),
    crash_at=st.integers(1, 6),
    grows=st.booleans(),
)
def test_whatever_may_be_resumed_from_is_there_though_a_fenced_worker_goes_on_saving(
    aws: Backend, steps: list[tuple[dict[str, Any], bool, bool]], crash_at: int, grows: bool
) -> None:
    """A worker saves and marks; another resumes from its mark, and both go on, the first never to mark again."""
    thread = f"thread-{uuid6()}"
    known: dict[str, Any] = {}
    in_log = [""]
    first_saver = checkpoint_saver(aws.settings)
    second_saver = ConfirmingSaver(first_saver.table)

    def grown(chain: Chain, change: dict[str, Any]) -> dict[str, Any]:
        before = chain.values.get("list", [])
        return {**change, "list": [*before, "x" * 2_000]} if grows and isinstance(before, list) else change

    first_mark = [""]
    first = Run(thread, thread, "", lambda checkpoint_id: checkpoint_id >= first_mark[0])
    with first_saver.watching(first, lambda config, checkpoint_id: None):
        zombie = Chain(first_saver, first, known)
        for change, marks, _ in steps[:crash_at]:
            zombie.step(grown(zombie, change))
            if marks:
                first_mark[0] = in_log[0] = zombie.last
        if not in_log[0]:
            return
        heirs_mark = in_log[0]
        resumed = Run(thread, thread, heirs_mark, lambda checkpoint_id: checkpoint_id == in_log[0])
        with second_saver.watching(resumed, lambda config, checkpoint_id: None):
            heir = Chain(second_saver, resumed, known)
            for change, marks, zombie_too in steps:
                if zombie_too:
                    zombie.step(grown(zombie, change))
                heir.step(grown(heir, change))
                if marks:
                    in_log[0] = heir.last
                anybody = ConfirmingSaver(first_saver.table)
                for checkpoint_id in {in_log[0], heir.last}:
                    found = anybody.get_tuple(on(thread, checkpoint_id))
                    assert found is not None and found.checkpoint["channel_values"] == known[checkpoint_id]


def of(saver: ConfirmingSaver, thread: str, source: str, parent: str = "", *, root: str = "") -> tuple[Any, Any, Any]:
    """What LangGraph saves of a graph, or of a subgraph in the step after `root`: config, checkpoint, metadata."""
    config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": "keep" if root else ""}}
    if parent:
        config["configurable"]["checkpoint_id"] = parent
    return config, empty_checkpoint(), {"source": source, "step": 1, "parents": {"": root} if root else {}}


def put_of_subgraph(saver: ConfirmingSaver, thread: str, root: str) -> str:
    """The id of a subgraph's checkpoint, put in the step after `root`."""
    config, checkpoint, metadata = of(saver, thread, "loop", root=root)
    saver.put(config, checkpoint, metadata, {})
    return str(checkpoint["id"])


@contextmanager
def held_back() -> Iterator[threading.Event]:
    """Checkpoints of the outermost graph are not saved before it is set."""
    late, saving = threading.Event(), RunCheckpoints.put

    def put(run: RunCheckpoints, config: Any, *given: Any) -> Any:
        assert config["configurable"]["checkpoint_ns"] or late.wait(30)
        return saving(run, config, *given)

    with patch.object(RunCheckpoints, "put", put):
        yield late


def test_a_step_that_is_begun_again_keeps_what_its_subgraphs_save_however_late_the_branch_is_saved(
    aws: Backend,
) -> None:
    """LangGraph goes on with the step of the branch while the branch's own checkpoint is being saved."""
    saver, thread = checkpoint_saver(aws.settings), f"thread-{uuid6()}"

    def newest() -> str:
        found = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": "keep"}})
        assert found is not None
        return str(found.checkpoint["id"])

    with saver.watching(Run(thread, thread, ""), lambda config, checkpoint_id: None):
        before = put_of_subgraph(saver, thread, "0")
        config, checkpoint, metadata = of(saver, thread, "loop")
        saver.put(config, checkpoint, metadata, {})
        root = str(checkpoint["id"])
        put_of_subgraph(saver, thread, root)  # and the run ends within that step

    branch, checkpoint, metadata = of(saver, thread, "fork", root)

    async def begin_again() -> str:
        assert newest() > root, "it is loaded: how far the step was"
        with held_back() as late:
            saved = asyncio.ensure_future(saver.aput(branch, checkpoint, metadata, {}))
            await asyncio.sleep(0)
            assert newest() == before, "what the step begins with, though its branch is not saved yet"
            now = put_of_subgraph(saver, thread, checkpoint["id"])
            late.set()
            await saved
        assert newest() == now
        return now

    with saver.watching(Run(thread, thread, root), lambda config, checkpoint_id: None):
        now = asyncio.run(begin_again())
    kept = ConfirmingSaver(saver.table).subgraphs_of(thread, checkpoint["id"])
    assert kept is not None
    assert [each.checkpoint["id"] for each in kept] == [before, now], "what the step began with, and how far it is"


def test_a_branch_that_is_told_of_late_has_nothing_of_the_step_that_it_begins_again(aws: Backend) -> None:
    saver, thread = checkpoint_saver(aws.settings), f"thread-{uuid6()}"
    put = [of(saver, thread, "loop", root="0"), of(saver, thread, "loop")]
    root = str(put[1][1]["id"])
    put.append(of(saver, thread, "loop", root=root))  # and the run ends within that step
    with saver.watching(Run(thread, thread, ""), lambda config, checkpoint_id: None):
        for config, checkpoint, metadata in put:
            saver.put(config, checkpoint, metadata, {})
    branch = of(saver, thread, "fork", root)
    with saver.watching(Run(thread, thread, root), lambda config, checkpoint_id: None):
        for config, checkpoint, metadata in (of(saver, thread, "loop", root=branch[1]["id"]), branch):
            saver.put(config, checkpoint, metadata, {})
    found = saver.store.get(thread, "", branch[1]["id"])
    assert found is not None and found.subgraphs is not None
    assert [key.rpartition("#")[2] for key in found.subgraphs.values()] == [put[0][1]["id"]]


def test_a_checkpoint_that_is_saved_late_has_what_its_subgraphs_kept_then_and_not_what_they_have_kept_since(
    aws: Backend,
) -> None:
    """LangGraph goes on with the next step while a checkpoint is being saved."""
    saver, thread = checkpoint_saver(aws.settings), f"thread-{uuid6()}"

    roots: list[str] = []
    kept = []

    async def steps() -> None:
        with held_back() as late:
            saves: list[asyncio.Future[None]] = []
            for _ in range(3):
                kept.append(put_of_subgraph(saver, thread, roots[-1] if roots else "0"))
                config, checkpoint, metadata = of(saver, thread, "loop", roots[-1] if roots else "")
                before = saves[-1:]

                async def save(before: Any, config: Any, checkpoint: Any, metadata: Any) -> None:
                    await asyncio.gather(*before)
                    await saver.aput(config, checkpoint, metadata, {})

                saves.append(asyncio.ensure_future(save(before, config, checkpoint, metadata)))
                roots.append(str(checkpoint["id"]))
                await asyncio.sleep(0)
            config, checkpoint, metadata = of(saver, thread, "loop", root=roots[-1])
            config["configurable"]["checkpoint_ns"] = within = "ask:task"
            saver.put(config, checkpoint, metadata, {})
            late.set()
            await asyncio.gather(*saves)
            found = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": within}})
            assert found is not None, "how far the step is that is under way now"

    with saver.watching(Run(thread, thread, ""), lambda config, checkpoint_id: None):
        asyncio.run(steps())
    for root, expected in zip(roots, kept, strict=True):
        found = ConfirmingSaver(saver.table).subgraphs_of(thread, root)
        assert found is not None
        names = [each.config["configurable"]["checkpoint_ns"] for each in found]
        assert dict(zip(names, [each.checkpoint["id"] for each in found], strict=True))["keep"] == expected
