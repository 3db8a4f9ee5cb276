"""What a worker is made of, grouped by what it is for. Made once per process by `handler`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphjobs.aws.claims import Claims
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.state_store import StateStore
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.core.event_log import EventLog
from graphjobs.worker.checkpoints import ConfirmingSaver
from graphjobs.worker.failure import CLASS
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.heartbeat import Standby
from graphjobs.worker.process_state import ProcessState
from graphjobs.worker.scratch import Scratch

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from langgraph.store.base import BaseStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where jobs are, on AWS clients that wait for as long as a worker's writes are worth."""

    jobs: JobStore
    log: EventLog
    claims: Claims
    queue: JobQueue
    threads: ThreadStore
    history: ThreadHistory


@dataclass(frozen=True, slots=True)
class Keepalive:
    """What keeps a claim: for the heartbeat AWS clients of its own, with short time-outs.

    Attributes:
        standby: keeps a claim while a node keeps the heartbeat's thread from running.
    """

    jobs: JobStore
    queue: JobQueue
    standby: Standby | None = None


@dataclass(frozen=True, slots=True)
class Graphs:
    """The graphs of the project, and what LangGraph is given for every run of one.

    Attributes:
        states: takes the states of a job on a thread; without it there are none to be read.
        store: LangGraph's store.
        model: what the `metadata` event says; None for a project that does not name its model.
        error_detail: how much a client is told of an exception: see `failure`.
    """

    loader: GraphLoader
    saver: ConfirmingSaver
    states: StateStore | None = None
    store: BaseStore | None = None
    model: str | None = None
    error_detail: str = CLASS


@dataclass(frozen=True, slots=True)
class Host:
    """The process that jobs run in, one after the other.

    Attributes:
        loop: what graphs run on; one per process, since the clients that a graph keeps between jobs are bound to it.
        scratch: temporary files, which one owner must not find of another.
    """

    loop: asyncio.AbstractEventLoop
    state: ProcessState = field(default_factory=ProcessState)
    scratch: Scratch = field(default_factory=Scratch)
    exit: Callable[[int], Any] = os._exit


@dataclass(frozen=True, slots=True)
class Reports:
    """Where it is told what happens.

    Attributes:
        flush_tracers: called when a job has been run, for the process may be frozen then.
    """

    logger: Logger
    metrics: Metrics
    flush_tracers: Callable[[], object] = lambda: None
