"""How an interrupted job is answered: the answer names the question, so it can never reach a later one. Pure."""

import re
from typing import Any, Final

from graphjobs.client.answers import Command, JobOptions, JobStatus
from graphjobs.client.errors import CannotAnswer

INTERRUPT_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def answering(job: JobStatus, value: Any, interrupt_id: str | None, options: JobOptions) -> JobOptions:
    """The members of the job that gives `value` to what `job` asks; `options` are its others.

    `value` is for the question `interrupt_id`, else for the only one. ``{interrupt_id: value}`` answers several.
    A `command` among the options may change the state, or say where to go, beside the answer.

    Raises:
        CannotAnswer: the job asks nothing, or not this, or it is not said for which question the answer is.
    """
    beside: Command = options.get("command") or {}
    if "resume" in beside:
        raise CannotAnswer("Give the answer as the value: the command beside it must not have a resume of its own.")
    command: Command = {**beside, "resume": _resume(job, value, interrupt_id)}
    turn: JobOptions = {"graph": job["graph"], "thread_id": job["thread_id"], "command": command}
    return {**options, **turn}


def _resume(job: JobStatus, value: Any, interrupt_id: str | None) -> dict[str, Any]:
    if job["status"] != "interrupted":
        raise CannotAnswer(f"The job is {job['status']}: it asks nothing.")
    asked = [each["id"] for each in job["interrupts"]]
    if not asked:
        raise CannotAnswer("The job was stopped and asks nothing: a job with its thread_id alone goes on.")
    if interrupt_id is not None:
        if interrupt_id not in asked:
            raise CannotAnswer(f"The job does not ask {interrupt_id}; it asks {', '.join(asked)}.")
        return {interrupt_id: value}
    if isinstance(value, dict) and value and all(INTERRUPT_ID.fullmatch(str(key)) for key in value):
        if unknown := value.keys() - set(asked):
            raise CannotAnswer(f"The job does not ask {', '.join(sorted(unknown))}; it asks {', '.join(asked)}.")
        return value
    if len(asked) > 1:
        raise CannotAnswer(f"The job asks {len(asked)} questions: say for which the answer is ({', '.join(asked)}).")
    return {asked[0]: value}
