"""A real `cdk deploy` to an emulator on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.acceptance import target
from deploy.cdk import GRAPHS, STACK, Cdk, install, local_context
from deploy.environment import free_port
from deploy.inventory import inventory
from deploy.ministack import ACCOUNT, REGION, MiniStack, installed
from deploy.steps import ROOT, say, step
from deploy.stream import StreamProcess
from deploy.users import temporary_users
from graphjobs.admin.deployment import functions_of
from graphjobs.core.manifest import FUNCTIONS


@dataclass(frozen=True)
class Deployment:
    """The stack on a running emulator.

    Attributes:
        assembly: what was deployed.
        outputs: of the stack.
        before: what there was in the account before it, see `inventory`.
        port: where the stream is to listen, since the emulator's function URLs do not stream.
        folder: where logs and files are.
    """

    emulator: MiniStack
    cdk: Cdk
    assembly: Path
    outputs: dict[str, str]
    before: frozenset[str]
    port: int
    folder: Path

    @property
    def context(self) -> dict[str, str]:
        """What it was synthesised with."""
        return local_context(f"http://127.0.0.1:{self.port}")

    def functions(self) -> dict[str, str]:
        """The functions' names in AWS by their names in the manifest."""
        found = functions_of(self.emulator.client("cloudformation"), STACK)
        for function, spec in FUNCTIONS.items():
            assert function in found or spec.optional, f"{function} is not deployed"
        return found

    def roles(self) -> dict[str, str]:
        """The functions' roles by the functions' names in the manifest."""
        lambda_ = self.emulator.client("lambda")
        return {
            function: lambda_.get_function_configuration(FunctionName=physical)["Role"]
            for function, physical in self.functions().items()
        }

    def assume(self, role: str) -> Callable[[str], Any]:
        """What makes clients as a role."""
        assumed = self.emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="deploy-local")
        return lambda service: self.emulator.client(service, assumed["Credentials"])

    @contextmanager
    def described(self) -> Iterator[dict[str, Any]]:
        """The target of the acceptance tests: with the deployed stream function, and two users of the pool."""
        pool = self.outputs["UserPoolId"]
        with (
            StreamProcess(self.emulator, self.outputs["StreamFunctionName"], self.port, pool, self.folder),
            temporary_users(self.emulator.client("cognito-idp"), pool, self.outputs["UserPoolClientId"]) as tokens,
        ):
            yield self.target(tokens)

    def target(self, tokens: Mapping[str, str]) -> dict[str, Any]:
        """The target of the acceptance tests for users with these tokens; `described` starts its stream."""
        return target(
            self.outputs,
            tokens,
            api_url=self.emulator.api_url(self.outputs["ApiUrl"]),
            access={"aws_endpoint_url": self.emulator.endpoint_url, "region": REGION},
            graphs=list(json.loads((ROOT / GRAPHS).read_text(encoding="utf-8"))["graphs"]),
        )


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """Start the emulator, bootstrap it and deploy. The emulator ends with it, and all that is in it.

    Raises:
        Failed: one of these steps.
    """
    with step("Installing MiniStack and the CDK command line"):
        python = installed(folder / "install.log")
        install(folder / "install.log")
    with MiniStack(python, folder / "ministack", folder / "ministack.log") as emulator:
        say(f"==> MiniStack is at {emulator.endpoint_url}")
        cdk = Cdk(emulator.environ, emulator.apis, folder)
        with step("cdk bootstrap"):
            cdk.bootstrap(ACCOUNT, REGION)
        before, port = inventory(emulator.client), free_port()
        with step("cdk deploy (AUTH=true: every role is enforced)"):
            assembly, notes = cdk.synthesise("first", local_context(f"http://127.0.0.1:{port}"))
            for note in notes:
                say(f"    for the emulator: {note}")
            cdk.deploy(assembly)
        yield Deployment(emulator, cdk, assembly, cdk.outputs(), before, port, folder)
