"""The grammar of `graphjobs admin` and `graphjobs logs`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Final

from graphjobs.cli.arguments import positive
from graphjobs.core.job import Status

DEFAULT_LIMIT: Final = 20
DEFAULT_WAIT: Final = 120
"""A worker that was asked to stop does so within seconds; the lease of a lost one lapses within a minute."""

DESCRIPTION: Final = "Look after the jobs of a deployment, with your own AWS credentials."
EPILOG: Final = """\
Which deployment: --stack, with the credentials and the region that the AWS SDK
finds (AWS_PROFILE, AWS_REGION); else the tables that GRAPHJOBS_JOBS_TABLE and
the variables beside it name; else the local instance that runs in this folder.

Exit codes: 0 as asked, 1 an error or a refusal, 2 wrong usage or nothing
configured."""


def target_options() -> ArgumentParser:
    """The options of every command that looks into a deployment."""
    options = ArgumentParser(add_help=False)
    options.add_argument("--stack", metavar="NAME", help="the deployment's CloudFormation stack")
    options.add_argument("--json", action="store_true", help="JSON for programs")
    return options


def admin_parser() -> ArgumentParser:
    """The grammar; `command` in the result is the name of a function of `commands`."""
    parser = ArgumentParser(
        prog="graphjobs admin", description=DESCRIPTION, epilog=EPILOG, formatter_class=RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    target = target_options()

    listing = verbs.add_parser(
        "list",
        parents=[target],
        help="list jobs, newest first",
        description="List jobs, newest first. Without --owner the whole index of jobs is read.",
    )
    listing.add_argument("--owner", metavar="SUBJECT", help="only those of this owner, as the tokens name them")
    listing.add_argument("--status", choices=[status.value for status in Status], help="only those of this status")
    listing.add_argument(
        "--limit", type=positive, metavar="N", default=DEFAULT_LIMIT, help="at most so many (default: %(default)s)"
    )
    listing.set_defaults(command="listing")

    for verb, text in (
        ("show", "show a job: its row, its log's end, and what becomes of it"),
        ("cancel", "end a job, or ask its worker to"),
        ("requeue", "send a job's message again"),
        ("purge", "delete a job and all that is kept of it"),
    ):
        one = verbs.add_parser(verb, parents=[target], help=text, description=text[0].upper() + text[1:] + ".")
        one.add_argument("job_id", metavar="JOB_ID")
        one.set_defaults(command=verb)

    erase = verbs.add_parser(
        "erase",
        parents=[target],
        help="erase all that is stored of an owner",
        description="Erase all that is stored of an owner: jobs, threads, and what LangGraph's store has under their "
        "name. Running jobs end first, as cancelled. Safe to run again.",
    )
    erase.add_argument("--owner", required=True, type=subject, metavar="SUBJECT", help="as the tokens name them")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erase.add_argument(
        "--wait",
        type=positive,
        metavar="SECONDS",
        default=DEFAULT_WAIT,
        help="how long running jobs are given to end (default: %(default)s)",
    )
    erase.set_defaults(command="erase")
    return parser


def logs_parser() -> ArgumentParser:
    """The grammar of `graphjobs logs`."""
    parser = ArgumentParser(
        prog="graphjobs logs",
        parents=[target_options()],
        description="Show one job's life in order of time: its row, its attempts and why they ended, and log lines.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("job_id", metavar="JOB_ID")
    return parser


def subject(text: str) -> str:
    """`text`, if it names somebody."""
    if not text.strip():
        raise ArgumentTypeError("an owner has a name")
    return text
