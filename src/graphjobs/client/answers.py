"""The JSON that goes in and comes out, as types. Members that a service of another version adds are left in place."""

from typing import Any, Literal, NotRequired, TypedDict, final

Status = Literal["queued", "running", "cancelling", "completed", "failed", "cancelled", "interrupted"]
"""The last four are final."""


Strategy = Literal["enqueue", "reject", "interrupt", "rollback"]
"""What becomes of a job whose thread has one that has not ended."""

Values = dict[str, Any] | list[dict[str, Any]] | None
"""What a node may return, as an update of a state has it."""


class Command(TypedDict, total=False):
    """LangGraph's `Command`: `resume` answers what an earlier job of the thread asked."""

    resume: Any
    update: Any
    goto: Any


class RunConfig(TypedDict, total=False):
    """LangGraph's config, as far as a caller may set it."""

    recursion_limit: int
    tags: list[str]
    configurable: dict[str, Any]


class JobOptions(TypedDict, total=False):
    """What `Client.submit` takes beside the query: the members of ``POST /jobs``. None stands for not given."""

    graph: str | None
    input: Any
    user_id: str | None
    metadata: dict[str, Any] | None
    timeout_seconds: int | None
    thread_id: str | None
    if_not_exists: Literal["create", "reject"] | None
    command: Command | None
    context: dict[str, Any] | None
    config: RunConfig | None
    checkpoint_id: str | None
    multitask_strategy: Strategy | None
    interrupt_before: list[str] | Literal["*"] | None
    interrupt_after: list[str] | Literal["*"] | None
    durability: Literal["sync", "exit"] | None
    stream_mode: str | list[str] | None
    stream_subgraphs: bool | None
    after_seconds: int | None
    webhook: str | None


class Event(TypedDict):
    """One event; README's table says what `data` holds for each `type`. `node` and `task`: of one that a node wrote."""

    seq: int
    type: str
    ts: str
    data: dict[str, Any]
    node: NotRequired[str]
    task: NotRequired[str]
    cut: NotRequired[list[str]]


@final
class Accepted(TypedDict):
    """A job that was submitted. `stream_url` carries a ticket, which is a secret."""

    job_id: str
    status: Status
    status_url: str
    cancel_url: str
    stream_url: str
    created_at: str
    expires_at: str
    thread_id: str


class JobSummary(TypedDict):
    """A job in a list. Times are RFC 3339."""

    job_id: str
    status: Status
    graph: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    thread_id: str


class JobError(TypedDict):
    """Why a job failed: `type` is the exception's class, `where` the node."""

    code: str
    message: str
    type: NotRequired[str]
    where: NotRequired[str]


class Interrupt(TypedDict):
    """What a job asks a person: `id` names it, `value` is what the graph gave."""

    id: str
    value: Any


class Queue(TypedDict):
    """What comes before a queued job: jobs of its thread, which is exact, or earlier ones of the same owner."""

    ahead: int
    of: Literal["thread", "owner"]


class JobStatus(JobSummary):
    """All that the service says of a job. A result of megabytes is left out, and is in the ``done`` event."""

    queue: Queue | None
    last_seq: int
    result: Any
    result_too_large: NotRequired[bool]
    result_url: NotRequired[str]
    error: JobError | None
    interrupts: list[Interrupt]


class JobList(TypedDict):
    """One page of jobs, newest first, and where the next begins; None: nowhere."""

    jobs: list[JobSummary]
    next_cursor: str | None


class Thread(TypedDict):
    """A thread, in LangGraph's form. `values` are None until a job has ended; `interrupts` by the task that asks."""

    thread_id: str
    created_at: str
    updated_at: str
    state_updated_at: str
    metadata: dict[str, Any]
    config: dict[str, Any]
    status: Literal["idle", "busy", "interrupted", "error"]
    values: Any
    interrupts: dict[str, list[Interrupt]]


class ThreadState(TypedDict):
    """The state of a thread at one checkpoint, in LangGraph's form; `checkpoint_id` is what a job may begin at.

    A task's ``state`` is that of the subgraph in which it waits for a person, in the same form, if it was asked for.
    """

    values: Any
    next: list[str]
    tasks: list[dict[str, Any]]
    metadata: dict[str, Any] | None
    created_at: str | None
    checkpoint: dict[str, str] | None
    parent_checkpoint: dict[str, str] | None
    interrupts: list[Interrupt]
    checkpoint_id: str | None
    parent_checkpoint_id: str | None
    cut: NotRequired[list[str]]


class Checkpoint(TypedDict):
    """A checkpoint as LangGraph names it."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str


@final
class StateUpdated(TypedDict):
    """The checkpoint that an update of a thread's state has made; `configurable` is the same, as older SDKs read it."""

    checkpoint: Checkpoint
    configurable: Checkpoint
    checkpoint_id: str


class StreamTicket(TypedDict):
    """A stream's address with a fresh ticket, which is a secret."""

    stream_url: str
    expires_at: str


class TicketsRevoked(TypedDict):
    """How often the tickets of a job have been revoked by now."""

    job_id: str
    tickets_revoked: int
