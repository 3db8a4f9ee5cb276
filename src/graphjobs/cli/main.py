"""The `graphjobs` command.

Exit codes: 0 done as asked (a followed job completed), 1 an error or a job that failed or was cancelled,
2 wrong usage or nothing configured, 3 a followed job asks a person, 130 Ctrl-C, 141 the reader of the output has gone.

What a command does not need it does not import: `--help` needs no httpx.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from graphjobs.cli.arguments import argument_parser
from graphjobs.cli.local_package import admin_module, local_module
from graphjobs.cli.target import Options, mint_local_token, resolve, state_dir
from graphjobs.cli.terminal import BROKEN_PIPE, INTERRUPTED, say, silence_stdout, use_utf8
from graphjobs.client.errors import ConfigurationError, GraphjobsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's own) and give its exit code."""
    use_utf8()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except SystemExit as ended:  # argparse has printed help (0) or what is wrong with the usage (2).
        return ended.code if isinstance(ended.code, int) else 1
    except ConfigurationError as error:
        say(f"graphjobs: {error}")
        return 2
    except GraphjobsError as error:
        say(f"graphjobs: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        silence_stdout()
        return BROKEN_PIPE


def _run(argv: list[str]) -> int:
    if argv[:1] == ["local"]:
        return _local(argv[1:])
    if argv[:1] in (["admin"], ["logs"]):
        return int(getattr(admin_module("graphjobs.admin.command"), argv[0])(argv[1:]))
    parser = argument_parser()
    args = parser.parse_args(argv)
    if args.verb == "token":
        print(mint_local_token(state_dir(os.environ), args.user, args.seconds, dict(args.claim)))
        return 0
    if args.verb == "install":
        return _install(args)
    goes_on = ("query", "input", "resume", "thread", "update", "goto")
    if args.verb == "submit" and all(getattr(args, name) is None for name in goes_on):
        args.parser.error("give a question, --input, --resume, --update, --goto or --thread")
    if args.verb == "update" and args.values is None and args.as_node is None:
        args.parser.error("give --as-node with null")
    return _call(args)


def _call(args: Namespace) -> int:
    target = resolve(Options(args.api_url, args.stream_url, args.token, args.user), os.environ)
    with without("click"):  # with it, httpx imports a command line of its own, which takes longer than all the rest
        from graphjobs.cli import commands
        from graphjobs.cli.notices import Notices
        from graphjobs.client.client import Client
    notices = Notices()
    command: commands.Command = getattr(commands, args.command)
    with Client(target.api_url, target.token, stream_url=target.stream_url, on_retry=notices.retry) as client:
        return command(client, args, notices)


@contextmanager
def without(name: str) -> Generator[None]:
    """Imports within find no module `name`, unless it has been imported before."""
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


def _install(args: Namespace) -> int:
    packages = local_module("graphjobs.cli.packages")
    return int(packages.install(args.project))


def _local(argv: list[str]) -> int:
    command = local_module("graphjobs.local.command")
    parser = ArgumentParser(prog="graphjobs local", description="Run everything on this machine.")
    command.add_arguments(parser)
    return int(command.run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
