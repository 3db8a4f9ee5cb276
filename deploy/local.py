"""`make deploy-local`: a real `cdk deploy` to an emulator on this machine, and everything that can be proven there.

    python -m deploy.local [pytest arguments]

Starts MiniStack, bootstraps it, deploys the app, deploys it again (nothing may change), tries every role, runs the
acceptance tests against the deployment, removes the stack (nothing may be left). Whatever happens, no process and no
file stays behind. Exit code 0 if all of it holds.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from deploy.acceptance import run_tests, target
from deploy.adapt import differences
from deploy.cdk import NO_CHANGES, STACK, Cdk, install, local_context, template_of
from deploy.environment import free_port
from deploy.inventory import inventory
from deploy.ministack import ACCOUNT, REGION, MiniStack, installed
from deploy.roles import check_roles
from deploy.steps import Failed, say, show_logs, step
from deploy.stream import StreamProcess
from deploy.users import temporary_users
from graphjobs.core.manifest import FUNCTIONS

NOT_OF_THE_EMULATOR: Final = {
    # It decodes a body before any function sees it, with what is not UTF-8 replaced.
    "test_refusals.py::test_a_bad_body_is_refused_and_stores_nothing[not UTF-8]",
    "test_refusals.py::test_after_all_refusals_a_good_request_works",
    # It takes /jobs/ for /jobs; API Gateway does not.
    "test_refusals.py::test_an_unknown_route_or_method_is_not_found[POST-/jobs/]",
    # Twenty environments that start at once are twenty interpreters of this one machine.
    "test_streams.py::test_twenty_jobs_at_once_each_give_their_viewer_exactly_their_log",
}
"""Acceptance tests that say nothing of the deployment when MiniStack fails them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all of it."""
    parser = argparse.ArgumentParser(prog="deploy.local", description="Deploy to an emulator, test, remove.")
    selection = parser.parse_known_args(arguments)[1]
    # A kill, like Ctrl-C, must end what was started.
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="graphjobs-deploy-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            deploy_and_test(folder, selection)
        except Failed as error:
            show_logs(folder)
            say(f"FAILED: {error}")
            return 1
        except KeyboardInterrupt:
            say("Interrupted.")
            return 130
        except Exception:
            show_logs(folder)
            raise
    say(f"Deployed, tested and removed in {time.monotonic() - began:.0f} s.")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def deploy_and_test(folder: Path, selection: Sequence[str] = ()) -> None:
    """The whole run; every file in `folder`.

    Raises:
        Failed: something does not hold.
    """
    with step("Installing MiniStack and the CDK command line"):
        python = installed(folder / "install.log")
        install(folder / "install.log")
    with running(python, folder) as emulator:
        cdk = Cdk(emulator.environ, emulator.apis, folder)
        with step("cdk bootstrap"):
            cdk.bootstrap(ACCOUNT, REGION)
        before = inventory(emulator.client)
        port = free_port()
        context = local_context(f"http://127.0.0.1:{port}")
        with step("cdk deploy (AUTH=true: every role is enforced)"):
            assembly, notes = cdk.synthesise("first", context)
            for note in notes:
                say(f"    for the emulator: {note}")
            cdk.deploy(assembly)
        outputs = cdk.outputs()
        with step("cdk deploy again, from a second synthesis"):
            deploy_again(cdk, context, assembly)
        with step("Trying what each role may do, and what not"):
            tried = check_roles(emulator.client, _assume(emulator), _roles(emulator), outputs)
            say(f"    {tried} calls: {len(FUNCTIONS)} roles allow what they list and refuse the rest")
        with step("Acceptance tests against the deployment"):
            accept(emulator, outputs, port, folder, selection)
        with step("cdk destroy"):
            cdk.destroy(assembly)
            left = inventory(emulator.client) - before
            if left:
                raise Failed("cdk destroy left behind:\n  " + "\n  ".join(sorted(left)))


def deploy_again(cdk: Cdk, context: Mapping[str, str], first: Path) -> None:
    """Synthesise the same source a second time and deploy that.

    Raises:
        Failed: it is not the same as `first`, or deploying it changed something.
    """
    second, _ = cdk.synthesise("second", context)
    differing = differences(template_of(first), template_of(second))
    if differing:
        raise Failed("A second synthesis of the same source differs in:\n  " + "\n  ".join(differing))
    if NO_CHANGES not in cdk.deploy(second):
        raise Failed("A second deploy of the same source changed something, see cdk.log")


@contextmanager
def running(python: Path, folder: Path) -> Iterator[MiniStack]:
    """MiniStack, started."""
    emulator = MiniStack(python, folder / "ministack", folder / "ministack.log")
    with step("Starting MiniStack"):
        emulator.__enter__()
    try:
        say(f"    at {emulator.endpoint_url}")
        yield emulator
    finally:
        emulator.__exit__()


def accept(
    emulator: MiniStack, outputs: Mapping[str, str], port: int, folder: Path, selection: Sequence[str] = ()
) -> None:
    """Run the acceptance tests with two users of the deployed pool and the deployed stream function."""
    pool = outputs["UserPoolId"]
    with (
        StreamProcess(emulator, outputs["StreamFunctionName"], port, pool, folder),
        temporary_users(emulator.client("cognito-idp"), pool, outputs["UserPoolClientId"]) as tokens,
    ):
        described = target(
            outputs,
            tokens,
            api_url=emulator.api_url(outputs["ApiUrl"]),
            access={"aws_endpoint_url": emulator.endpoint_url, "region": REGION},
        )
        left_out = [f"--deselect=tests/e2e/{test}" for test in sorted(NOT_OF_THE_EMULATOR)]
        run_tests(described, folder, [*left_out, *selection])


def _roles(emulator: MiniStack) -> dict[str, str]:
    """The functions' roles by the functions' names."""
    cloudformation, lambda_ = emulator.client("cloudformation"), emulator.client("lambda")
    deployed = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    roles = {}
    for function, spec in FUNCTIONS.items():
        prefix = "Functions" + "".join(part.capitalize() for part in function.split("_")) + "Function"
        physical = next((name for logical, name in deployed.items() if logical.startswith(prefix)), None)
        if physical is None and spec.optional:
            continue
        if physical is None:
            raise Failed(f"{function} is not deployed.")
        roles[function] = lambda_.get_function_configuration(FunctionName=physical)["Role"]
    return roles


def _assume(emulator: MiniStack) -> Callable[[str], Callable[[str], Any]]:
    def as_role(arn: str) -> Callable[[str], Any]:
        assumed = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="deploy-local")
        return lambda service: emulator.client(service, assumed["Credentials"])

    return as_role


if __name__ == "__main__":
    sys.exit(main())
