"""`graphjobs logs`: prints one job's life."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from graphjobs.admin.commands import the_job
from graphjobs.admin.life import Moment, life
from graphjobs.admin.log_lines import log_lines
from graphjobs.aws.erasure import ZOMBIE_MS
from graphjobs.cli.event_text import compact
from graphjobs.cli.terminal import harmless, one_line, say
from graphjobs.core.times import rfc3339

if TYPE_CHECKING:
    from graphjobs.admin.deployment import Deployment

CLOCKS_MS: Final = 60_000
"""How far the clocks of two machines may be apart, generously."""


def logs(deployment: Deployment, args: Namespace) -> int:
    """Print what happened to a job, in order of time.

    Raises:
        Refused: there is no such job.
        ClientError, BotoCoreError: as AWS answers.
    """
    backend = deployment.backend
    job = the_job(backend, args.job_id)
    # A worker that was lost may still write for so long.
    ended = job.finished_at + ZOMBIE_MS if job.finished_at is not None else backend.clock()
    lines = log_lines(deployment, job.job_id, job.created_at - CLOCKS_MS, ended + CLOCKS_MS)
    moments = life(backend, job, lines)
    if args.json:
        for each in moments:
            facts = {"at": rfc3339(each.at), "source": each.source, "what": each.what, **each.facts}
            print(json.dumps(facts | ({"below": list(each.below)} if each.below else {}), ensure_ascii=False))
        return 0
    if deployment.stack is None and deployment.folder is None:
        say("Log lines are not looked for: give --stack, or be in the folder of a local instance.")
    print("\n".join(_shown(moments)))
    return 0


def _shown(moments: Sequence[Moment]) -> Iterator[str]:
    width = max(len(each.source) for each in moments)
    day = ""
    for each in moments:
        date, _, time = rfc3339(each.at).partition("T")
        if date != day:
            day = date
            yield date
        facts = " ".join(f"{name}={_text(value)}" for name, value in each.facts.items())
        yield f"{time[:-1]}  {each.source:<{width}}  {one_line(each.what)}  {facts}".rstrip()
        yield from (f"    {harmless(line)}" for line in each.below)


def _text(value: object) -> str:
    return one_line(value if isinstance(value, str) else compact(value))
