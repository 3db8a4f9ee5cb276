"""Threads and their states, in LangGraph's own form: made, read, and searched through; nothing here runs a graph."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from graphjobs.api.thread_request import MAX_PAGE, HistoryAsk, StateAsk, ThreadCreate, ThreadPatch
from graphjobs.api.thread_rows import ThreadRows
from graphjobs.auth.administrators import Administrators, administrators
from graphjobs.aws.backend import Backend
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Thread
from graphjobs.core.times import now_ms
from graphjobs.http.access import AdminUse, readable_thread
from graphjobs.http.json_body import refused_body
from graphjobs.http.problem import SECURITY_HEADERS, Problem, checkpoint_not_found
from graphjobs.http.resolver import api_handler, caller_of, fits, http_app, json_answer, json_text, owner_of
from graphjobs.http.thread_answer import state_json, thread_json
from graphjobs.observability import logger as make_logger

DEFAULT_PAGE: Final = 10
CHUNK: Final = 25
"""States that are read at a time, so that a page that is cut has not read much more than it gives."""

Subgraphs = Annotated[bool, Query()]
"""Whether the states of subgraphs are told as well."""

logger = make_logger("threads")
app = http_app(logger)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What this function is made of."""

    rows: ThreadRows
    threads: ThreadStore
    history: ThreadHistory
    max_body_bytes: int
    admins: Administrators


@lru_cache(maxsize=1)
def wiring() -> Wiring:
    """The same, built once per process."""
    settings = FUNCTIONS["threads"].settings(os.environ)
    backend = Backend(settings)
    rows = ThreadRows(backend.jobs, backend.threads)
    return Wiring(rows, backend.threads, backend.history, settings.max_body_bytes, administrators(settings))


@app.post("/threads")
def create_thread(asked: Annotated[ThreadCreate, Body()]) -> Response[str]:
    """200 with the thread."""
    thread = wiring().rows.create(owner_of(app), asked)
    logger.info("thread", extra={"thread_id": thread.thread_id})
    return _thread(thread)


@app.get("/threads/<thread_id>")
def get_thread(thread_id: str) -> Response[str]:
    """200 with the thread."""
    return _thread(_readable(thread_id, "thread"))


@app.patch("/threads/<thread_id>")
def patch_thread(thread_id: str, asked: Annotated[ThreadPatch, Body()]) -> Response[str]:
    """200 with the thread; the metadata is merged."""
    return _thread(wiring().rows.patch(owner_of(app), thread_id, asked.metadata))


@app.delete("/threads/<thread_id>")
def delete_thread(thread_id: str) -> Response[str]:
    """204: gone for everybody, with all its jobs; the reconciler erases what is kept of them."""
    wiring().rows.delete(owner_of(app), thread_id)
    logger.info("thread deleted", extra={"thread_id": thread_id})
    return Response(204, headers=SECURITY_HEADERS, body="")


@app.get("/threads/<thread_id>/state")
def get_state(thread_id: str, subgraphs: Subgraphs = False) -> Response[str]:
    """200 with the state that the thread is in."""
    return _newest(thread_id, subgraphs=subgraphs)


@app.get("/threads/<thread_id>/state/<checkpoint_id>")
def get_state_at(thread_id: str, checkpoint_id: str, subgraphs: Subgraphs = False) -> Response[str]:
    """200 with the state at one checkpoint."""
    return _state_at(thread_id, checkpoint_id, subgraphs=subgraphs)


@app.post("/threads/<thread_id>/state/checkpoint")
def post_state_at(thread_id: str, asked: Annotated[StateAsk, Body()]) -> Response[str]:
    """The same, or the newest where no checkpoint is named."""
    subgraphs, checkpoint_id = bool(asked.subgraphs), asked.checkpoint.checkpoint_id
    if checkpoint_id is None:
        return _newest(thread_id, subgraphs=subgraphs)
    return _state_at(thread_id, checkpoint_id, subgraphs=subgraphs)


@app.get("/threads/<thread_id>/history")
def get_history(
    thread_id: str,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
    before: Annotated[str | None, Query(max_length=100)] = None,
) -> Response[str]:
    """200 with a page of states, newest first."""
    return _history(_readable(thread_id, "history"), HistoryAsk(limit=limit, before=before))


@app.post("/threads/<thread_id>/history")
def post_history(thread_id: str, asked: Annotated[HistoryAsk, Body()]) -> Response[str]:
    """200 with a page of states, newest first."""
    return _history(_readable(thread_id, "history"), asked)


def _readable(thread_id: str, action: str) -> Thread:
    made = wiring()
    return readable_thread(made.threads, thread_id, caller_of(app, made.admins), now_ms(), AdminUse(logger, action))


def _newest(thread_id: str, *, subgraphs: bool) -> Response[str]:
    thread = _readable(thread_id, "state")
    record = wiring().history.newest(thread)
    if record is None and thread.head is not None:
        raise checkpoint_not_found()  # that of a job which had no thread yet when it began
    return _answer(state_json(thread, record, subgraphs=subgraphs))


def _thread(thread: Thread) -> Response[str]:
    body = thread_json(thread, wiring().history.head(thread))
    # The values can be read as a state, in parts where they must be; the rest of a thread is small.
    return json_answer(200, body if fits(json_text(body)) else body | {"values": None, "interrupts": {}})


def _state_at(thread_id: str, checkpoint_id: str, *, subgraphs: bool) -> Response[str]:
    thread = _readable(thread_id, "state")
    history = wiring().history
    note = history.find(thread, checkpoint_id)
    records = history.records(thread, [note]) if note else []
    if not records:
        raise checkpoint_not_found()
    return _answer(state_json(thread, records[0], subgraphs=subgraphs))


def _answer(body: dict[str, Any]) -> Response[str]:
    if not fits(json_text(body)):
        raise Problem(413, "state_too_large", "The state does not fit into an answer.")
    return json_answer(200, body)


def _history(thread: Thread, asked: HistoryAsk) -> Response[str]:
    """A page is cut where an answer would become too large; the next one begins before its last state."""
    page: list[dict[str, Any]] = []
    for record in _matching(thread, asked):
        page.append(state_json(thread, record))
        if not fits(json_text({"page": page})):
            page.pop()
            if not page:
                raise Problem(413, "state_too_large", "The state does not fit into an answer.")
            break
        if len(page) == (asked.limit or DEFAULT_PAGE):
            break
    return json_answer(200, page)


def _matching(thread: Thread, asked: HistoryAsk) -> Iterator[StateRecord]:
    history, only = wiring().history, asked.checkpoint.checkpoint_id if asked.checkpoint else None
    notes = [note for note in history.notes(thread) if _within(note, asked.before_id, only)]
    size = min(asked.limit or DEFAULT_PAGE, CHUNK)
    for first in range(0, len(notes), size):
        for record in history.records(thread, notes[first : first + size]):
            metadata = state_json(thread, record)["metadata"]
            if all(metadata.get(name) == value for name, value in (asked.metadata or {}).items()):
                yield record


def _within(note: StateNote, before: str | None, only: str | None) -> bool:
    checkpoint_id = note.position.checkpoint_id
    return (before is None or checkpoint_id < before) and only in (None, checkpoint_id)


def _refusal(event: dict[str, Any]) -> Problem | None:
    if event["requestContext"]["http"]["method"] in ("GET", "DELETE"):
        return None
    return refused_body(event, wiring().max_body_bytes)


handler = api_handler(app, refusal=_refusal)

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
