"""What can be seen of a thread, whatever its jobs come to: what the ended ones have confirmed, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from graphjobs.core import outcome as ends
from graphjobs.core import turns
from graphjobs.core.job import Job, Status
from graphjobs.core.lineage import ancestors, visible
from graphjobs.core.outcome import Outcome
from graphjobs.core.state_record import StateNote
from graphjobs.core.thread import Position, Thread

NOW = 1_800_000_000_000
THREAD = Thread(thread_id="t", owner="u", graph="g", created_at=NOW, updated_at=NOW, expires_at=NOW)


@dataclass
class Told:
    """A thread, what its workers have stored, and what somebody may see of it, kept by other means."""

    thread: Thread = THREAD
    notes: dict[Position, StateNote] = field(default_factory=dict)
    paths: dict[Position, tuple[Position, ...]] = field(default_factory=dict)
    heads: list[Position] = field(default_factory=list)
    """Those that were left, the oldest first; the head is no part of it."""
    jobs: int = 0
    saves: int = 0

    def save(
        self, thread: str, parent: Position | None, job_id: str, epoch: int, *, again: str | None = None
    ) -> Position:
        self.saves += 1
        position = Position(thread, again or f"{self.saves:04d}")
        self.notes[position] = StateNote(position=position, parent=parent, job_id=job_id, epoch=epoch)
        self.paths[position] = (*(self.paths[parent] if parent else ()), position)
        return position

    def seen(self) -> set[str]:
        """Ids that somebody may see."""
        tips = [*self.heads, *([self.thread.head] if self.thread.head else [])]
        return {each.checkpoint_id for tip in tips for each in self.paths[tip]}

    def shown(self, mark: Position | None = None) -> list[StateNote]:
        """What the API shows."""
        first = [each for each in (mark, self.thread.head) if each]
        return visible(self.notes, [*first, *reversed(self.thread.branches)])

    def job(self, fork: int | None, lost: int, steps: int, end: str) -> None:
        """A job: where it begins, steps of workers that were lost, its own, and how it ends."""
        self.jobs += 1
        places = self.shown()
        start = self.thread.head
        if fork is not None and places:
            start = places[fork % len(places)].position
        job_id = f"job-{self.jobs}"
        job = Job(
            job_id=job_id, owner="u", graph="g", status=Status.RUNNING, created_at=NOW, deadline_at=NOW, expires_at=NOW
        )
        self.thread = replace(self.thread, turn=job_id)
        before = self.seen()
        parent, epoch = start, 1
        for _ in range(lost):  # without a mark: the next claim begins anew
            parent = self.save(f"{job_id}:{epoch}", parent, job_id, epoch)
        epoch += 1
        parent = start
        if start is not None and end == "asks again":
            own = self.notes[start].parent
            parent = self.save(f"{job_id}:{epoch}", own, job_id, epoch, again=start.checkpoint_id)
            steps = 0
        for _ in range(steps):
            parent = self.save(f"{job_id}:{epoch}", parent, job_id, epoch)
            zombie = self.save(f"{job_id}:{epoch}", parent, job_id, epoch)  # goes on from the same, and is fenced
            ids = {note.position.checkpoint_id for note in self.shown(parent)}
            assert (
                ids == before | {each.checkpoint_id for each in self.paths[parent]} and zombie.checkpoint_id not in ids
            )
        moved = parent if parent != start else None
        job = replace(job, rollback=end == "rolled back", start=start)
        outcome = OUTCOMES[end]
        head = self.thread.head
        self.thread, _ = turns.ended(self.thread, job, replace(outcome, position=moved))
        if moved is not None and end != "rolled back":
            self.heads = [each for each in self.heads if each != start]
            if head is not None and head != start:
                self.heads.append(head)
            self.heads = self.heads[-turns.MAX_BRANCHES :]


OUTCOMES: dict[str, Outcome] = {
    "well": ends.completed({}),
    "asks again": ends.interrupted({}, ()),
    "failed": ends.failed(ends.GRAPH_ERROR),
    "cancelled": ends.CANCELLED,
    "rolled back": ends.CANCELLED,
}
JOBS = st.lists(
    st.tuples(st.none() | st.integers(0, 50), st.integers(0, 2), st.integers(0, 3), st.sampled_from(sorted(OUTCOMES))),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(JOBS)
def test_seen_is_what_ended_jobs_have_confirmed_and_nothing_else(jobs: list[tuple[int | None, int, int, str]]) -> None:
    told = Told()
    for fork, lost, steps, end in jobs:
        told.job(fork, lost, steps, end)
        shown = told.shown()
        ids = [note.position.checkpoint_id for note in shown]
        assert set(ids) == told.seen()
        assert ids == sorted(set(ids), reverse=True), "each once, the newest first"
        if told.thread.head is not None:
            mine = {note.position for note in ancestors(told.notes, told.thread.head)}
            assert mine <= {note.position for note in shown}, "of two under one id, that which led to the head"


def test_a_branch_ends_where_nothing_is_stored_any_more() -> None:
    told = Told()
    told.job(None, 0, 3, "well")
    assert told.thread.head is not None
    oldest = told.paths[told.thread.head][0]
    del told.notes[oldest]
    assert oldest.checkpoint_id not in {note.position.checkpoint_id for note in told.shown()}
    assert len(told.shown()) == 2


def test_of_many_branches_the_newest_stay() -> None:
    told = Told()
    told.job(None, 0, 1, "well")
    root = told.thread.head
    for _ in range(turns.MAX_BRANCHES + 3):
        places = [note.position for note in told.shown()]
        assert root is not None
        told.job(places.index(root), 0, 1, "well")
    assert len(told.thread.branches) == turns.MAX_BRANCHES
    assert {note.position.checkpoint_id for note in told.shown()} == told.seen()
