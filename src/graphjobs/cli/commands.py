"""The commands that call a service: each takes a client and its arguments, prints, and gives an exit code."""

import json
import shlex
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final, Literal

from graphjobs.cli.answer_hint import answer_hint
from graphjobs.cli.arguments import Answer
from graphjobs.cli.event_view import EventView, JsonLines, Readable
from graphjobs.cli.job_view import job_text, table_text
from graphjobs.cli.notices import Notices
from graphjobs.cli.state_view import history_text, state_text
from graphjobs.cli.terminal import INTERRUPTED, program, say
from graphjobs.client.answers import Accepted, JobOptions, JobStatus
from graphjobs.client.answers import Command as LangGraphCommand
from graphjobs.client.client import Client
from graphjobs.client.errors import GraphjobsError
from graphjobs.core.event import DONE

Command = Callable[[Client, Namespace, Notices], int]

EXIT_CODES: Final = {"completed": 0, "interrupted": 3}
"""Of a job that was followed to its end; any other status is 1."""


def submit(client: Client, args: Namespace, notices: Notices) -> int:
    """Submit a job; with ``--stream`` follow it to its end."""
    options: JobOptions = {
        **_run_options(args),
        "graph": args.graph,
        "input": args.input,
        "thread_id": args.thread,
        "if_not_exists": args.if_not_exists,
        "command": _command(args, args.resume),
        "checkpoint_id": args.checkpoint,
        "multitask_strategy": args.multitask_strategy,
    }
    job = client.submit(args.query, idempotency_key=args.idempotency_key, **options)
    return _submitted(client, job, args, notices)


def answer(client: Client, args: Namespace, notices: Notices) -> int:
    """Answer what a job asks; with ``--stream`` follow the job that goes on to its end."""
    job = client.answer(
        args.job_id,
        args.answer.value,
        interrupt_id=args.interrupt,
        idempotency_key=args.idempotency_key,
        **_run_options(args),
    )
    return _submitted(client, job, args, notices)


def _run_options(args: Namespace) -> JobOptions:
    """What every command that submits a job takes."""
    return {
        "context": args.context,
        "config": args.config,
        "metadata": args.metadata,
        "timeout_seconds": args.timeout_seconds,
        "command": _command(args),
        "after_seconds": args.after_seconds,
        "interrupt_before": _nodes(args.interrupt_before),
        "interrupt_after": _nodes(args.interrupt_after),
        "durability": args.durability,
    }


def _command(args: Namespace, answer: Answer | None = None) -> LangGraphCommand | None:
    """LangGraph's command of the options, if there is any."""
    command: LangGraphCommand = {}
    if answer is not None:
        command["resume"] = answer.value
    if args.update is not None:
        command["update"] = args.update
    if args.goto:
        command["goto"] = args.goto[0] if len(args.goto) == 1 else args.goto
    return command or None


def _nodes(names: list[str] | None) -> list[str] | Literal["*"] | None:
    """Names of nodes, or ``*`` for all of them."""
    return "*" if names and "*" in names else names


def _submitted(client: Client, job: Accepted, args: Namespace, notices: Notices) -> int:
    if args.stream:
        say(f"submitted {job['job_id']}")
        return follow(client, job["job_id"], 0, None, notices, as_json=args.json)
    if args.json:
        _print_json(job)
        return 0
    print(f"{job['job_id']} {job['status']}")
    say(f"Follow it with: {program()} stream {job['job_id']}")
    return 0


def status(client: Client, args: Namespace, notices: Notices) -> int:
    """Show one job."""
    job = client.status(args.job_id)
    if args.json:
        _print_json(job)
        return 0
    print(job_text(job))
    if job["status"] == "interrupted":
        _say_how_to_answer(job)
    return 0


def cancel(client: Client, args: Namespace, notices: Notices) -> int:
    """Ask for a job's end."""
    job = client.cancel(args.job_id)
    return _said(args, job, f"{args.job_id} {job.get('status')}")


def delete(client: Client, args: Namespace, notices: Notices) -> int:
    """Delete a job."""
    job = client.delete(args.job_id) or {"job_id": args.job_id}
    return _said(args, job, f"{args.job_id} deleted")


def _said(args: Namespace, job: Mapping[str, Any], text: str) -> int:
    if args.json:
        _print_json(job)
    else:
        print(text)
    return 0


def revoke(client: Client, args: Namespace, notices: Notices) -> int:
    """Revoke the stream tickets of a job."""
    answer = client.revoke_tickets(args.job_id)
    if args.json:
        _print_json(answer)
    else:
        print(f"{args.job_id} has no stream address any more that was given before")
    return 0


def list_jobs(client: Client, args: Namespace, notices: Notices) -> int:
    """Show the caller's jobs, or those of ``--owner``, newest first, one page of them."""
    page = client.list(status=args.status, limit=args.limit, cursor=args.cursor, owner=args.owner)
    if args.json:
        _print_json(page)
        return 0
    print(table_text(page.get("jobs", []), datetime.now(UTC)))
    if page.get("next_cursor"):
        same = [("--status", args.status), ("--limit", args.limit), ("--owner", args.owner)]
        given = [f"{name} {shlex.quote(str(value))} " for name, value in same if value is not None]
        say(f"More with: {program()} list {''.join(given)}--cursor {page['next_cursor']}")
    return 0


def thread(client: Client, args: Namespace, notices: Notices) -> int:
    """Show the state of a thread."""
    state = client.state(args.thread_id, args.checkpoint, subgraphs=args.subgraphs)
    if args.json:
        _print_json(state)
    else:
        print(state_text(state))
    return 0


def update(client: Client, args: Namespace, notices: Notices) -> int:
    """Change the state of a thread."""
    answer = client.update_state(args.thread_id, args.values, as_node=args.as_node, checkpoint_id=args.checkpoint)
    if args.json:
        _print_json(answer)
    elif "job_id" in answer:
        print(f"{answer['job_id']} {answer['status']}")
        say(f"The update is not made yet. Follow it with: {program()} stream {answer['job_id']}")
    else:
        print(answer["checkpoint_id"])
    return 0


def delete_thread(client: Client, args: Namespace, notices: Notices) -> int:
    """Delete a thread."""
    client.delete_thread(args.thread_id)
    if args.json:
        _print_json({"thread_id": args.thread_id})
    else:
        print(f"{args.thread_id} deleted")
    return 0


def history(client: Client, args: Namespace, notices: Notices) -> int:
    """Show the states of a thread, newest first, one page of them."""
    page = client.history(args.thread_id, limit=args.limit, before=args.before)
    if args.json:
        _print_json(page)
        return 0
    print(history_text(page))
    if page and page[-1]["parent_checkpoint_id"]:
        say(f"Older ones: {program()} history {args.thread_id} --before {page[-1]['checkpoint_id']}")
    return 0


def stream(client: Client, args: Namespace, notices: Notices) -> int:
    """Follow a job from the seq after ``--after``."""
    return follow(client, args.job_id, args.after, args.max_events, notices, as_json=args.json)


def follow(client: Client, job_id: str, after: int, max_events: int | None, notices: Notices, *, as_json: bool) -> int:
    """Show a job's events until `done`, or until `max_events` of them.

    Gives the exit code: 0 if the job completed or was left at `max_events`, 3 if it asks a person, 1 otherwise.
    """
    view: EventView = JsonLines() if as_json else Readable()
    last, outcome = after, None
    try:
        with closing(client.stream(job_id, after)) as events, notices.following(view, begun=after > 0):
            for event in events:
                notices.heard()
                view.show(event)
                last = event["seq"]
                if event["type"] == DONE:
                    outcome = event["data"].get("status")
                    break
                if max_events is not None and last - after >= max_events:
                    view.leave()
                    say(f"Stopped after {last - after} events. {_how_to_resume(job_id, last)}")
                    return 0
    except GraphjobsError:
        view.leave()
        if last > after:
            say(_how_to_resume(job_id, last))
        raise
    except KeyboardInterrupt:
        view.leave()
        say(f"Left the stream; the job goes on. {_how_to_resume(job_id, last)}")
        return INTERRUPTED
    if outcome is None:  # Every event had been seen before: the stream had nothing more to say.
        outcome = client.status(job_id)["status"]
        say(f"Nothing follows event {last}: the job is {outcome}.")
    if outcome == "interrupted":
        _say_how_to_answer(client.status(job_id))
    return EXIT_CODES.get(outcome, 1)


def _how_to_resume(job_id: str, last: int) -> str:
    return f"Resume with: {program()} stream {job_id} --after {last}"


def _say_how_to_answer(job: JobStatus) -> None:
    for line in answer_hint(job):
        say(line)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))
