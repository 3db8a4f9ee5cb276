"""The command line's grammar; it does nothing and imports nothing heavy."""

import json
from argparse import Action, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from graphjobs.cli.target import DEFAULT_USER, LOCAL_TOKEN_SECONDS
from graphjobs.cli.terminal import NAME
from graphjobs.client.answers import Strategy, Values

DESCRIPTION = "Run LangGraph graphs as durable jobs, and follow them live."
EPILOG = """\
Every command but `local`, `install` and `token` works against a local instance
and a deployed one alike. They take --api-url, --stream-url and --token; else
GRAPHJOBS_API_URL, GRAPHJOBS_STREAM_URL and GRAPHJOBS_TOKEN; else the local
instance that runs in this folder, with a token of its own issuer. `admin` and
`logs` go past the service, with IAM credentials: see their --help.

Exit codes: 0 as asked, 1 an error or a job that did not complete, 2 wrong usage
or nothing configured, 3 a job that asks a person, 130 after Ctrl-C."""


def argument_parser() -> ArgumentParser:
    """The grammar of `graphjobs`; `command` in the result is the function of `commands` to call, if it is one of them.

    `parser` in the result is the command's own, for what is wrong with its usage.
    """
    parser = ArgumentParser(
        prog=NAME, description=DESCRIPTION, epilog=EPILOG, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    verbs.add_parser("local", help="run everything on this machine", add_help=False)

    verbs.add_parser("admin", help="look after the jobs of a deployment", add_help=False)
    verbs.add_parser("logs", help="show one job's life, for who looks after them", add_help=False)

    install = verbs.add_parser("install", help="install a project's packages for `local`")
    install.add_argument("project", type=Path, metavar="PROJECT", help="a langgraph.json, or the folder that has one")

    token = verbs.add_parser("token", help="mint a token of the local issuer")
    token.add_argument(
        "--user", default=DEFAULT_USER, metavar="NAME", help="the token's subject (default: %(default)s)"
    )
    token.add_argument(
        "--seconds",
        type=positive,
        metavar="N",
        default=LOCAL_TOKEN_SECONDS,
        help="how long it is valid (default: %(default)s)",
    )
    token.add_argument(
        "--claim",
        type=claim,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one claim more, its value JSON, else a text; may be given again",
    )

    target, run = _target_options(), _run_options()
    submit = verbs.add_parser("submit", help="submit a job", parents=[target, run])
    submit.add_argument("query", nargs="?", type=question, help="the question; may be left out with --input")
    submit.add_argument("--graph", help="the graph to run (default: the service's first)")
    submit.add_argument("--input", type=json_object, metavar="JSON", help="the graph's input, a JSON object")
    submit.add_argument("--thread", metavar="THREAD_ID", help="the next turn of this conversation")
    submit.add_argument(
        "--if-not-exists",
        choices=("create", "reject"),
        help="if there is no such conversation (default: reject)",
    )
    submit.add_argument(
        "--resume", type=resumed, metavar="ANSWER", help="answer what the thread's last job asked: JSON, else a text"
    )
    submit.add_argument(
        "--checkpoint",
        metavar="ID",
        help="begin at this checkpoint of the thread: a fork (default: the newest)",
    )
    submit.add_argument(
        "--multitask-strategy",
        choices=get_args(Strategy),
        help="if the thread is busy (default: enqueue)",
    )
    submit.set_defaults(command="submit", parser=submit)

    answer = verbs.add_parser("answer", help="answer what a job asks", parents=[target, run])
    answer.add_argument("job_id", metavar="JOB_ID", help="the job that asked")
    answer.add_argument(
        "answer",
        type=resumed,
        metavar="VALUE",
        help='JSON, else a text; several questions at once: {"INTERRUPT_ID": value, ...}',
    )
    answer.add_argument("--interrupt", metavar="ID", help="the question, if the job asks several")
    answer.set_defaults(command="answer")

    status = verbs.add_parser("status", help="show a job", parents=[target])
    status.add_argument("job_id", metavar="JOB_ID")
    status.set_defaults(command="status")

    cancel = verbs.add_parser("cancel", help="cancel a job", parents=[target])
    cancel.add_argument("job_id", metavar="JOB_ID")
    cancel.set_defaults(command="cancel")

    delete = verbs.add_parser("delete", help="delete a job and all that is kept of it", parents=[target])
    delete.add_argument("job_id", metavar="JOB_ID")
    delete.set_defaults(command="delete")

    revoke = verbs.add_parser("revoke", help="let no stream address of a job that was given open it", parents=[target])
    revoke.add_argument("job_id", metavar="JOB_ID")
    revoke.set_defaults(command="revoke")

    listing = verbs.add_parser("list", help="list your jobs, newest first", parents=[target])
    listing.add_argument("--status", help="only jobs of this status")
    listing.add_argument("--limit", type=positive, metavar="N", help="at most so many (default: the service's, 20)")
    listing.add_argument("--cursor", help="where the page before ended")
    listing.add_argument("--owner", metavar="SUBJECT", help="administrators only: the jobs of this user")
    listing.set_defaults(command="list_jobs")

    thread = verbs.add_parser("thread", help="show the state of a conversation", parents=[target])
    thread.add_argument("thread_id", metavar="THREAD_ID")
    thread.add_argument("--checkpoint", metavar="ID", help="the state at this checkpoint (default: the newest)")
    thread.add_argument("--subgraphs", action="store_true", help="and of the subgraphs that its tasks are in")
    thread.set_defaults(command="thread")

    update = verbs.add_parser("update", help="change the state of a conversation; no node runs", parents=[target])
    update.add_argument("thread_id", metavar="THREAD_ID")
    update.add_argument(
        "values",
        type=update_values,
        metavar="VALUES",
        help="JSON as a node returns it: an object, a list, or null",
    )
    update.add_argument("--as-node", metavar="NODE", help="the node that is taken to have returned them")
    update.add_argument("--checkpoint", metavar="ID", help="change the state at this checkpoint (default: the newest)")
    update.set_defaults(command="update", parser=update)

    delete_thread = verbs.add_parser("delete-thread", help="delete a conversation with all its jobs", parents=[target])
    delete_thread.add_argument("thread_id", metavar="THREAD_ID")
    delete_thread.set_defaults(command="delete_thread")

    history = verbs.add_parser("history", help="list the states of a conversation, newest first", parents=[target])
    history.add_argument("thread_id", metavar="THREAD_ID")
    history.add_argument("--limit", type=positive, metavar="N", help="at most so many (default: the service's, 10)")
    history.add_argument("--before", metavar="ID", help="only older ones than this checkpoint")
    history.set_defaults(command="history")

    stream = verbs.add_parser("stream", help="follow a job", parents=[target])
    stream.add_argument("job_id", metavar="JOB_ID")
    stream.add_argument(
        "--after", type=natural, default=0, metavar="SEQ", help="the last seq already seen (default: %(default)s)"
    )
    stream.add_argument("--max-events", type=positive, metavar="N", help="leave after so many events")
    stream.set_defaults(command="stream")
    return parser


def _target_options() -> ArgumentParser:
    """The options of every command that calls a service."""
    options = ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="JSON for programs; events as JSON lines")
    group = options.add_argument_group("service")
    group.add_argument("--api-url", metavar="URL", help="base URL of the HTTP API")
    group.add_argument("--stream-url", metavar="URL", help="base URL of the stream")
    identity = group.add_mutually_exclusive_group()
    identity.add_argument("--token", help="bearer token (better: GRAPHJOBS_TOKEN, which `ps` does not show)")
    identity.add_argument("--user", help=f"local instance only: who you are (default: {DEFAULT_USER})")
    return options


def _run_options() -> ArgumentParser:
    """The options of every command that submits a job."""
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--context", type=json_object, metavar="JSON", help="LangGraph's context of the run, an object"
    )
    options.add_argument(
        "--config",
        type=json_object,
        metavar="JSON",
        help='LangGraph\'s config of the run, such as {"configurable": {...}}',
    )
    options.add_argument("--metadata", type=json_object, metavar="JSON", help="kept with the job")
    options.add_argument(
        "--update", type=json_object, metavar="JSON", help="a change of the state to begin with, as a node returns it"
    )
    options.add_argument("--goto", action="append", metavar="NODE", help="go on at this node; may be repeated")
    options.add_argument("--after-seconds", type=natural, metavar="N", help="begin no sooner than this")
    for when in ("before", "after"):
        options.add_argument(
            f"--interrupt-{when}",
            action="append",
            metavar="NODE",
            help=f"stop {when} this node; may be repeated, * for all",
        )
    options.add_argument(
        "--durability",
        choices=("sync", "exit"),
        help="when the state is saved: after each step, or at the end alone (default: sync)",
    )
    options.add_argument(
        "--timeout-seconds",
        type=positive,
        metavar="N",
        help="the job's deadline from now (default: an hour, unless configured)",
    )
    options.add_argument("--idempotency-key", metavar="KEY", help="the same key gives the same job")
    options.add_argument("--stream", action="store_true", help="follow the job to its end")
    return options


class Version(Action):
    """Shows the version; it is looked up only then."""

    def __call__(self, parser: ArgumentParser, *_: Any) -> None:
        """See `argparse.Action`."""
        from importlib.metadata import version

        print(f"{NAME} {version(NAME)}")
        parser.exit()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to an interrupt, which may be null too."""

    value: Any


def resumed(text: str) -> Answer:
    """`text` as JSON; if it is none, the text itself."""
    try:
        return Answer(json.loads(text))
    except ValueError:
        return Answer(text)


def claim(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` as the claim's name and its value."""
    name, found, value = text.partition("=")
    if not name or not found:
        raise ArgumentTypeError("not of the form NAME=VALUE")
    return name, resumed(value).value


def question(text: str) -> str:
    """`text`, if there is something in it."""
    if not text.strip():
        raise ArgumentTypeError("a question has to hold more than spaces")
    return text


def json_object(text: str) -> dict[str, Any]:
    """`text` as a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ArgumentTypeError("not a JSON object")
    return value


def update_values(text: str) -> Values:
    """`text` as JSON that a node might return: an object, a list of objects, or null."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not JSON: {error}") from None
    if not (value is None or all(isinstance(each, dict) for each in (value if isinstance(value, list) else [value]))):
        raise ArgumentTypeError("not a JSON object, a list of objects or null")
    updates: Values = value
    return updates


def natural(text: str) -> int:
    """`text` as an integer of 0 or more."""
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not an integer of 0 or more")
    return int(text)


def positive(text: str) -> int:
    """`text` as an integer of 1 or more."""
    number = natural(text)
    if number == 0:
        raise ArgumentTypeError("has to be 1 or more")
    return number
