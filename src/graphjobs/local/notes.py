"""Notes: what the worker processes tell the supervisor, one JSON object per line.

A note has a `note`, which is one of the names below, and what belongs to it::

    started   {worker, pid}                  a worker process is up and waits for jobs
    graphs    {worker, reports}              every graph, imported: [name, reason]; no reason if it can be had
    claimed   {worker, job_id, graph, attempt}
    finished  {worker, job_id, status, code, seconds}
    failed    {worker, job_id, trace}        the graph raised: the trace as Python prints it
    died      {worker, exit_code, job_id}    a worker process ended of itself; `job_id` of the job it had, or null
    reloaded  {worker, file}                 a file of the project has changed: a fresh process loads it
"""

from __future__ import annotations

import json
from typing import Any, Final

STARTED: Final = "started"
GRAPHS: Final = "graphs"
CLAIMED: Final = "claimed"
FINISHED: Final = "finished"
FAILED: Final = "failed"
DIED: Final = "died"
RELOADED: Final = "reloaded"

Note = dict[str, Any]


def line_of(note: Note) -> str:
    """The note as it goes through a pipe."""
    return json.dumps(note, default=str)


def note_of(line: bytes) -> Note | None:
    """The note that a line holds; None if it is something else, such as a line of a log."""
    if not line.startswith(b'{"note"'):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
