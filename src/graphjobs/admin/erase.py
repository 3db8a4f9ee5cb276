"""`graphjobs admin erase`: asks before, and says what was removed of each store and what is left."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from graphjobs.admin.commands import Refused, print_json
from graphjobs.admin.owner_erasure import Erased, OwnerErasure
from graphjobs.admin.owner_traces import traces_of
from graphjobs.cli.job_view import aligned
from graphjobs.cli.terminal import one_line, say
from graphjobs.core.times import rfc3339

if TYPE_CHECKING:
    from graphjobs.admin.deployment import Deployment
    from graphjobs.aws.backend import Backend


def erase(deployment: Deployment, args: Namespace) -> int:
    """Erase all of an owner; exit code 1 if something could not be, which the same command does later.

    Raises:
        Refused: nobody has agreed.
        ClientError, BotoCoreError: AWS fails; what is done stays done.
    """
    if not args.yes:
        _ask(deployment.backend, args.owner)
    erased = OwnerErasure(deployment.backend, args.owner, wait_seconds=args.wait).run()
    if args.json:
        print_json({"removed": dict(erased.removed), "marks": erased.marks, "left": erased.left})
    else:
        _tell(erased)
    return 1 if erased.left else 0


def _ask(backend: Backend, owner: str) -> None:
    if not sys.stdin.isatty():
        raise Refused("Nothing is erased: --yes is needed where nobody can be asked.")
    found = traces_of(backend, owner)
    say(
        f"{one_line(owner)} has {len(found.jobs)} jobs, {len(found.threads)} threads and {len(found.items)} items of "
        "the store with that name in their namespace. All of it will be erased, and nothing brings it back."
    )
    print("Type the owner's name to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().rstrip("\n") != owner:
        raise Refused("Nothing is erased.")


def _tell(erased: Erased) -> None:
    removed = [(kind, str(number)) for kind, number in erased.removed.items() if number]
    print(aligned([("removed", ""), *removed]) if removed else "nothing to remove")
    if erased.marks:
        last = rfc3339(max(erased.marks.values()))
        print(
            f"{len(erased.marks)} rows stay without content until {last}, for a worker that was lost may still write. "
            "Then the reconciler looks once more, and removes them."
        )
    for name, reason in erased.left.items():
        say(f"not erased: {name}: {one_line(reason)}")
    if erased.left:
        say("Run the same command again.")
