"""The process that all worker processes are forked from: it has imported what they share, so each starts at once.

It runs no graph and has no thread, which makes forking safe. A worker that ends is replaced, and the job that it had
is taken up by another one; see `lost_worker`. What the workers tell goes on to the supervisor, a note per line.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs import processes
from graphjobs.aws import clients as aws
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.queue import JobQueue
from graphjobs.core.loading import without_collection
from graphjobs.core.settings import Settings
from graphjobs.local import worker_process
from graphjobs.local.child import say_ready
from graphjobs.local.console import how_it_ended
from graphjobs.local.lost_worker import InHand, give_back
from graphjobs.local.notes import CLAIMED, DIED, STARTED, Note, line_of
from graphjobs.local.restarts import Restarts
from graphjobs.local.worker_process import IDLE, RELOAD, TAKEN
from graphjobs.observability import logger

STOP_SECONDS: Final = 2.0

# A fork shares what is imported; where forking is not safe (macOS), each process imports for itself.
PROCESSES: Final = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


class WorkerFailed(Exception):
    """A worker process ended before it was ready for the first time; the message shows the end of its log."""


@dataclass(slots=True)
class Place:
    """One worker's place in the pool.

    Attributes:
        number: 1, 2, ...; it names the log.
        in_hand: the message that the process has.
        restarts: how long it takes until the next start.
        start_at: when to start the next process (monotonic); None while one runs.
    """

    number: int
    log: Path
    process: BaseProcess | None = None
    pipe: Connection | None = None
    in_hand: InHand | None = None
    was_ready: bool = False
    started_at: float = 0.0
    restarts: Restarts = field(default_factory=Restarts)
    start_at: float | None = field(default_factory=time.monotonic)


class Pool:
    """The worker processes."""

    def __init__(
        self, places: list[Place], project: Path, jobs: JobStore, queue: JobQueue, *, take_over: bool = True
    ) -> None:
        self._places = places
        self._project = project
        self._jobs = jobs
        self._queue = queue
        self._take_over = take_over
        self._said_ready = False
        self._logger = logger("workers", sys.stderr)

    def run(self) -> None:
        """Keep every place filled until standard input is closed: the supervisor has ended.

        Raises:
            WorkerFailed: a worker could not start at all.
        """
        while self._step():
            pass

    def stop(self) -> None:
        """End all workers."""
        for place in self._places:
            if place.process is not None:
                place.process.terminate()
        for place in self._places:
            if place.process is not None:
                place.process.join(STOP_SECONDS)
                place.process.kill()

    def _step(self) -> bool:
        now = time.monotonic()
        for place in self._places:
            if place.start_at is not None and place.start_at <= now:
                self._start(place)
        for source in wait([sys.stdin.fileno(), *self._sources()], self._pause()):
            if source == sys.stdin.fileno():
                if not os.read(sys.stdin.fileno(), 1):
                    return False
                continue
            self._take(source)
        return True

    def _sources(self) -> list[Any]:
        running = [place for place in self._places if place.process is not None]
        pipes = [place.pipe for place in running if place.pipe is not None]
        return [*pipes, *(place.process.sentinel for place in running if place.process is not None)]

    def _pause(self) -> float | None:
        starts = [place.start_at for place in self._places if place.start_at is not None]
        return max(0.0, min(starts) - time.monotonic()) if starts else None

    def _start(self, place: Place) -> None:
        ours, theirs = PROCESSES.Pipe(duplex=False)
        place.start_at, place.started_at, place.pipe = None, time.monotonic(), ours
        place.process = PROCESSES.Process(  # type: ignore[attr-defined]
            target=worker_process.main, args=(theirs, place.log, self._project), name=f"worker-{place.number}"
        )
        sys.stdout.flush()
        place.process.start()
        theirs.close()

    def _take(self, source: Any) -> None:
        """Read a worker's notes, or see its end."""
        for place in self._places:
            if place.process is None:
                continue
            if source is place.pipe or source == place.process.sentinel:
                self._read(place)
                if not place.process.is_alive():
                    self._ended(place)

    def _read(self, place: Place) -> None:
        with suppress(EOFError, OSError):
            while place.pipe is not None and place.pipe.poll():
                self._heard(place, place.pipe.recv())

    def _heard(self, place: Place, note: Note) -> None:
        kind = note["note"]
        if kind == TAKEN:
            place.in_hand = InHand(note["job_id"], note["receipt"]) if note["job_id"] else None
        elif kind == IDLE:
            place.in_hand = None
        else:
            if kind == CLAIMED and place.in_hand is not None:
                place.in_hand.epoch = note["epoch"]
            if kind == STARTED:
                place.was_ready = True
            say(place, note)
        if not self._said_ready and all(each.was_ready for each in self._places):
            self._said_ready = True
            say_ready()

    def _ended(self, place: Place) -> None:
        assert place.process is not None and place.pipe is not None  # noqa: S101 - it was started
        place.process.join()
        code = place.process.exitcode
        place.pipe.close()
        lived = time.monotonic() - place.started_at
        place.process, place.pipe = None, None
        if not place.was_ready:
            raise WorkerFailed(
                f"worker-{place.number} ended with exit code {code}:\n{processes.last_lines(place.log.read_bytes())}"
            )
        if code != RELOAD:
            lost = place.in_hand
            if lost is not None:
                how = {"worker": place.number, "epoch": lost.epoch, "exit": how_it_ended(code)}
                self._logger.warning("the process of a worker has ended", extra={"job_id": lost.job_id, **how})
            say(place, {"note": DIED, "exit_code": code, "job_id": lost.job_id if lost else None})
            if lost is not None and self._take_over:
                self._give_back(lost)
        place.in_hand = None
        place.start_at = time.monotonic() + (0.0 if code == RELOAD else place.restarts.pause(lived))

    def _give_back(self, lost: InHand) -> None:
        try:
            give_back(lost, self._jobs, self._queue)
        except (ClientError, BotoCoreError) as error:
            print(f"the job {lost.job_id} waits for its lease: {error}", file=sys.stderr, flush=True)


def say(place: Place, note: Note) -> None:
    """Hand a note on to the supervisor."""
    print(line_of({"note": note["note"], "worker": place.number, **note}), flush=True)


def main() -> None:
    """Run the pool until standard input is closed or a signal says stop."""
    parser = argparse.ArgumentParser(prog="graphjobs.local.worker_pool")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--leave-lost-jobs", action="store_true")
    arguments = parser.parse_args()
    settings = Settings.from_env(os.environ, required=("jobs_table", "queue_url"))
    with without_collection():
        import graphjobs.worker.fork_base  # noqa: F401 - what the forked processes share

        pool = Pool(
            [Place(number, arguments.logs / f"worker-{number}.log") for number in range(1, arguments.workers + 1)],
            Path(settings.config),
            JobStore(aws.dynamodb(), settings.jobs_table),
            JobQueue(aws.sqs(), settings.queue_url),
            take_over=not arguments.leave_lost_jobs,
        )
        aws.s3()  # The session now knows how each service is spoken to, which every worker would else read anew.

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pool.run()
    except WorkerFailed as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    finally:
        pool.stop()


if __name__ == "__main__":
    main()
