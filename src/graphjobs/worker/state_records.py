"""Stores the states of a run on a thread: each before the log may name its checkpoint, so what is named is there.

A state is made JSON when it is reached, whatever the graph does with it later, and stored by an OS thread of its own.
That of the checkpoint at which the run ends is stored once more if its tasks came to something: questions, an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from graphjobs.aws.bulk import persistently
from graphjobs.aws.claims import Claim
from graphjobs.aws.state_store import StateStore
from graphjobs.core.event_log import Fenced
from graphjobs.core.slot import Mark
from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Position
from graphjobs.worker.run_state import State, begun_again, state_of_part, state_of_snapshot


class StateRecords:
    """Stores the states of one claim's run. `saved` and `confirmed` are for any thread, the rest for the loop's."""

    def __init__(self, store: StateStore, claim: Claim, publish: Callable[[Mark], None], *, error_detail: str) -> None:
        """`publish` is given each mark once its state is stored."""
        self._store = store
        self._claim = claim
        self._publish = publish
        self._error_detail = error_detail
        self._parents: dict[str, str | None] = {}  # by whichever thread saves, one checkpoint after the other
        self._again: dict[str, str] = {}  # LangGraph's copies of the checkpoint that the run resumes from; by the loop
        self._newest: State | None = None  # by the loop; read by the thread that saves, whose save the loop awaits
        self._handed_over: State | None = None  # by any thread, one after the other: a save is awaited by the loop
        self._last: Future[None] | None = None  # with it
        self._failure: Exception | None = None  # by the storing thread
        self._storing = ThreadPoolExecutor(1, "states")

    def saved(self, config: Any, checkpoint_id: str) -> None:
        """A checkpoint was saved under `config`, which names its parent; those of subgraphs have no state here."""
        if not config["configurable"].get("checkpoint_ns", ""):
            self._parents[checkpoint_id] = config["configurable"].get("checkpoint_id")

    def reached(self, checkpoint: Mapping[str, Any], *, again: str | None = None) -> None:
        """The stream has come to a checkpoint; `again` is the one that it is a copy of, where the run was resumed."""
        self._newest = state_of_part(checkpoint, self._error_detail)
        if again is not None:
            self._again[self._newest.checkpoint_id] = again

    def confirmed(self, mark: Mark) -> None:
        """A checkpoint is worth naming: its state is stored, and then `mark` is published.

        Raises:
            RuntimeError: it is not the one that was reached last.
        """
        state = self._newest
        if state is None or state.checkpoint_id != mark.checkpoint_id:
            raise RuntimeError(f"The state of {mark.checkpoint_id} is not at hand.")
        self._hand_over(state, self._parent(state), mark)

    async def ended(
        self,
        tasks: Mapping[str, Mapping[str, Any]],
        within: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        well: bool,
    ) -> None:
        """Wait until all is stored; the last one with what `tasks` came to, and the states `within` them, by their ids.

        `well` is whether the job ends there, so that its thread will name this checkpoint in any case.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: it could not be stored.
        """
        state = self._newest
        own = state is not None and state.checkpoint_id in self._parents and state.checkpoint_id not in self._again
        if state is not None and (well or own):
            whole = state.with_ends(tasks, within or {}, self._error_detail)
            if whole != self._handed_over:
                self._hand_over(whole, await self._found_parent(whole), None)
        await self.settled()

    async def put(self, state: State, position: Position) -> None:
        """Store one that no stream has come to.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: it could not be stored.
        """
        self._last = self._storing.submit(self._keep, self._record(state, position, self._parent(state)), None)
        await self.settled()

    async def found(self, graph: Any, start: Position, copied_to: str) -> None:
        """Store the state that the thread begins with, if its first job had no thread when it ran: nobody has yet.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: it could not be stored.
        """
        if not start.checkpoint_thread.startswith(f"job-{self._claim.job.thread}:"):
            return
        if await asyncio.get_running_loop().run_in_executor(None, self._found, start) is None:
            configurable = {"thread_id": copied_to, "checkpoint_ns": "", "checkpoint_id": start.checkpoint_id}
            snapshot = await graph.aget_state({"configurable": configurable})
            await self.put(state_of_snapshot(snapshot, self._error_detail), start)

    async def begin(self) -> None:
        """Take what a worker before this one has told of the checkpoint that the run resumes from: it is begun again.

        From here on that worker, should it still run, can tell nothing more of it.
        """
        mark = self._claim.mark
        if mark is not None:
            self._last = self._storing.submit(self._begin, Position(mark.thread, mark.checkpoint_id))
            await self.settled()

    async def settled(self) -> None:
        """Wait until all that was handed over is stored.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: it could not be stored.
        """
        if self._last is not None:
            await asyncio.wrap_future(self._last)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Store nothing more; does not wait."""
        self._storing.shutdown(wait=False, cancel_futures=True)

    def _parent(self, state: State) -> Position | None:
        """Where a checkpoint that this run has saved came from."""
        parent_id = self._parents.get(state.checkpoint_id)
        if parent_id is None:
            return None
        start = self._claim.job.start
        if start is not None and parent_id == start.checkpoint_id:
            return start
        return Position(self._claim.thread, self._again.get(parent_id, parent_id))

    async def _found_parent(self, state: State) -> Position | None:
        """That of any: a run that has saved nothing ends on its copy of the checkpoint that it began with."""
        start = self._claim.job.start
        if state.checkpoint_id in self._parents or start is None:
            return self._parent(state)
        copied = await asyncio.get_running_loop().run_in_executor(None, self._found, start)
        return copied.note.parent if copied else None

    def _found(self, position: Position) -> StateRecord | None:
        return persistently(lambda: self._store.get(self._claim.job.thread, position))

    def _hand_over(self, state: State, parent: Position | None, mark: Mark | None) -> None:
        record = self._record(state, Position(self._claim.thread, state.checkpoint_id), parent)
        self._handed_over = state
        self._last = self._storing.submit(self._keep, record, mark)

    def _record(self, state: State, position: Position, parent: Position | None) -> StateRecord:
        job = self._claim.job
        note = StateNote(
            position=position, parent=parent, job_id=job.job_id, epoch=job.epoch, interrupts=state.interrupts
        )
        return StateRecord(note=note, body=state.body())

    def _begin(self, position: Position) -> None:
        try:
            record = self._found(position)
        except Exception as error:  # raised where the run waits for it
            self._failure = error
            return
        if record is not None:
            note = replace(record.note, epoch=self._claim.job.epoch, interrupts=())
            self._keep(StateRecord(note=note, body=begun_again(record.body)), None)

    def _keep(self, record: StateRecord, mark: Mark | None) -> None:
        if self._failure is not None:
            return
        try:
            persistently(lambda: self._store.put(self._claim.job.thread, record))
        except Fenced:
            return  # whatever this worker does is void; the log will tell it so
        except Exception as error:  # raised where the run waits for it
            self._failure = error
            return
        if mark is not None:
            self._publish(mark)
