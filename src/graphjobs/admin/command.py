"""`graphjobs admin` and `graphjobs logs`: find the deployment, call the command, say in one line what went wrong."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.admin import commands
from graphjobs.admin.arguments import admin_parser, logs_parser
from graphjobs.admin.commands import Refused
from graphjobs.admin.deployment import Deployment, find
from graphjobs.admin.erase import erase
from graphjobs.admin.logs import logs as show_logs
from graphjobs.aws.cancel import JobGone
from graphjobs.aws.transition import Contended
from graphjobs.cli.terminal import say
from graphjobs.core.version import NewerVersion

Command = Callable[[Deployment, Namespace], int]


def admin(argv: Sequence[str]) -> int:
    """Run ``graphjobs admin`` with `argv`; the exit code.

    Raises:
        ConfigurationError: see `deployment.find`.
    """
    args = admin_parser().parse_args(argv)
    return carry_out(erase if args.command == "erase" else getattr(commands, args.command), args)


def logs(argv: Sequence[str]) -> int:
    """Run ``graphjobs logs`` with `argv`; the exit code.

    Raises:
        ConfigurationError: see `deployment.find`.
    """
    return carry_out(show_logs, logs_parser().parse_args(argv))


def carry_out(command: Command, args: Namespace) -> int:
    """Call `command` with the deployment that `args` name; the exit code."""
    try:
        return command(find(args.stack, os.environ), args)
    except JobGone as error:
        say(f"graphjobs: There is no job {error} any more.")
    except NewerVersion as error:
        say(f"graphjobs: {error} was written by a newer release: use that one's command.")
    except Contended as error:
        say(f"graphjobs: Others were changing {error} all the time: try again.")
    except (Refused, ClientError, BotoCoreError) as error:
        say(f"graphjobs: {error}")
    return 1
