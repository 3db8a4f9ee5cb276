"""What must hold of a thread, judged at every write of its row: turns, heads, and questions that are answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphjobs.core.job import Job, Status
from graphjobs.core.thread import Thread
from graphjobs.core.turns import names_interrupts
from tests.model.history import kept_values
from tests.model.worker import interrupt_id

if TYPE_CHECKING:
    from tests.model.world import World


class Judge:
    """Compares a thread before and after one transaction; gives what is wrong with it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def wrong(self, before: Thread | None, after: Thread | None, ended: tuple[Job, Job] | None) -> list[str]:
        """`ended` is the row of the job that this transaction has ended, before and after."""
        if after is None or before == after:
            return []
        self._world.forks.moved(after)
        found: list[str] = []
        if before is None:
            before = after if ended is None else None
        if before is None:
            return self._head(None, after, ended)
        if after.revision != before.revision + 1 and before is not after:
            found.append("a change of the thread was lost")
        if before.turn is not None and after.turn != before.turn and (not ended or ended[0].job_id != before.turn):
            found.append("the turn was taken from a job that has not ended")
        if before.turn and after.turn not in (before.turn, None) and (after.turn,) != before.waiting[:1]:
            found.append("the turn was not given in the order of acceptance")
        return found + self._head(before, after, ended)

    def _head(self, before: Thread | None, after: Thread, ended: tuple[Job, Job] | None) -> list[str]:
        if after.head is None or (before and after.head == before.head):
            return []
        if ended is None:
            return [] if before is None or before is after else ["a head moved without the end of a job"]
        job, end = ended
        if job.rollback:
            return ["a job that is rolled back has moved the head"]
        if self._world.forks.taken_back(after.head):
            return ["a head comes from what was rolled back"]
        if before is not None and (before.turn != job.job_id or not self._world.forks.begins_well(job, before.head)):
            return ["a head was moved by a job that did not begin where it should"]
        path = self._world.checkpoints.state(after.head).path
        start = self._world.checkpoints.state(job.start).path if job.start else ()
        kept = kept_values(self._world.storage.log(job.job_id))
        said = path[len(start) :]
        if path[: len(start)] != start or said != kept[: len(said)]:
            return [f"the head holds {path}, the log of its job {kept} after {start}"]
        if end.status in (Status.COMPLETED, Status.INTERRUPTED) and said != kept:
            return ["the head lacks steps of a job that has ended well"]
        return []

    def answered(self, before: Thread | None, job_id: str) -> list[str]:
        """What is wrong with accepting the job, if it is an answer or a fork."""
        found = self._world.forks.accepted(before, job_id)
        request = self._world.request_of(job_id)
        if request is None or request.command is None:
            return found
        if before is None or before.turn is not None:
            return [*found, "an answer was accepted while another job had the turn"]
        named = names_interrupts(request.command["resume"]) or set()
        asked = set(before.interrupts)
        if request.checkpoint_id in self._world.checkpoints.questions:
            asked.add(interrupt_id(request.checkpoint_id))
        return found if named <= asked and asked else [*found, "an answer was accepted for no question"]

    def at_rest(self) -> list[str]:
        """What is wrong with the threads as they are between two writes."""
        found = []
        jobs = self._world.storage.jobs()
        for thread in self._world.storage.threads():
            active = {job.job_id: job for job in jobs if job.thread_id == thread.thread_id and not job.status.terminal}
            turn = {job_id for job_id, job in active.items() if not job.waiting}
            if turn != ({thread.turn} if thread.turn else set()):
                found.append(f"{turn} may run on a thread whose turn is {thread.turn}")
            if set(thread.waiting) != set(active) - turn:
                found.append("those that wait and those that the thread knows are not the same")
        return found
