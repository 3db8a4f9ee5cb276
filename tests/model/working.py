"""A worker's run of one claim, for the model of expiry: with the real saver, seed and log, and no graph.

It is a chain of steps: each saves a checkpoint whose parts are in older items too, then its state, then the events and
the mark that name it.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.base import empty_checkpoint

from graphjobs.aws.claims import Claim
from graphjobs.aws.job_store import RowChanged
from graphjobs.core.event_log import Fenced
from graphjobs.core.outcome import TIMED_OUT, Outcome, completed, failed, interrupted
from graphjobs.core.slot import Mark
from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Position
from graphjobs.worker.run_checkpoints import Run
from graphjobs.worker.seed import seed
from tests.model.keeping import Keeping, Saved, config_at
from tests.model.worker import SteppedWriter, interrupt_id

LARGE = "x" * 600
"""Not repeated at each step: later checkpoints are read from the item of the first."""


class Working:
    """A worker's run of one claim."""

    def __init__(self, keeping: Keeping, claim: Claim) -> None:
        self.claim = claim
        self.awake = True
        self.lost = False
        self._keeping = keeping
        self._saver = keeping.saver()
        self._watch = ExitStack()
        writer: Any = SteppedWriter(keeping.log, claim, self._failed, keeping.clock)
        self._writer: SteppedWriter = writer
        mark, start = claim.mark, claim.job.start
        if mark is None and start is not None:
            seed(self._saver, source=start.checkpoint_thread, checkpoint_id=start.checkpoint_id, to=claim.thread)
        begins = mark.checkpoint_id if mark else start.checkpoint_id if start else None
        self._watch.enter_context(
            self._saver.watching(Run(claim.thread, claim.job.thread, begins or ""), lambda *_: None)
        )
        self._newest = begins
        self._saved: Position | None = None
        if begins is not None:
            found = self._saver.get_tuple(config_at(claim.job.thread, begins))
            assert found is not None, "what a job goes on from is gone"
            expected = keeping.saved[begins].path
            assert tuple(found.checkpoint["channel_values"]["path"]) == expected, "a job goes on from another state"

    def step(self) -> None:
        """Run one step, as far as it is still this worker's to run."""
        if self.lost:
            return
        keeping, job, number = self._keeping, self.claim.job, next(self._keeping.numbers)
        before = keeping.saved[self._newest] if self._newest else Saved((), (), "")
        checkpoint_id = f"c{number:06}"
        saved = Saved((*before.path, number), (*before.line, checkpoint_id), job.job_id)
        keeping.saved[checkpoint_id] = saved
        values = {"path": list(saved.path), "large": LARGE}
        versions: Any = {"path": number, "large": 1}
        checkpoint = empty_checkpoint() | {"id": checkpoint_id, "channel_values": values, "channel_versions": versions}
        self._saver.put(config_at(job.thread, self._newest), checkpoint, {"source": "loop", "step": number}, {})
        self._saved = Position(self.claim.thread, checkpoint_id)
        parent, self._newest = self._newest, checkpoint_id
        try:
            if job.thread_id is not None:
                self._tell(parent)
            self._writer.append("update", {"value": number})
            self._writer.mark(Mark(self.claim.thread, checkpoint_id, self._writer.last_seq))
            self._writer.flush()
        except Fenced:
            self.lost = True

    def finish(self, how: str) -> None:
        """End the job: well, with a question, badly, or since its time is over."""
        self._watch.close()
        if self.lost or (self._saved is None and how != "late"):
            return
        job, keeping, outcome = self.claim.job, self._keeping, failed(TIMED_OUT if how == "late" else "graph_error")
        if how in ("well", "asks"):
            outcome = self._well(asks=how == "asks")
        keeping.results[job.job_id] = keeping.saved[self._newest].path if self._newest else ()
        try:
            keeping.claims.finish(self.claim, replace(outcome, position=self._saved), self._writer.buffer.tail)
        except Fenced:
            self.lost = True

    def _well(self, *, asks: bool) -> Outcome:
        newest = str(self._newest)
        result = {"path": list(self._keeping.saved[newest].path)}
        if not asks:
            return completed(result["path"])
        self._tell(None, (interrupt_id(newest),), again=True)
        return interrupted(result["path"], [{"id": interrupt_id(newest), "value": "?"}])

    def beat(self) -> None:
        """Renew the lease; at the deadline the run ends."""
        job, now = self.claim.job, self._keeping.clock()
        if job.past_deadline(now):
            self.finish("late")
            self.lost = True
            return
        try:
            lease = self._keeping.claims.lease_until(job)
            self._keeping.jobs.renew(job, lease, self._keeping.claims.due_after(lease, job))
        except RowChanged:
            self.lost = True

    def _tell(self, parent: str | None, interrupts: tuple[str, ...] = (), *, again: bool = False) -> None:
        """Store the state."""
        keeping, job, start = self._keeping, self.claim.job, self.claim.job.start
        position = Position(self.claim.thread, str(self._newest))
        if again and (stored := keeping.states.get(job.thread, position)) is not None:
            under = stored.note.parent
        elif start is not None and parent == start.checkpoint_id:
            under = start
        else:
            under = Position(self.claim.thread, parent) if parent else None
        note = StateNote(position=position, parent=under, job_id=job.job_id, epoch=job.epoch, interrupts=interrupts)
        path = list(keeping.saved[position.checkpoint_id].path)
        keeping.states.put(job.thread, StateRecord(note=note, body=json.dumps({"values": {"path": path}})))

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, Fenced):
            raise error
        self.lost = True
