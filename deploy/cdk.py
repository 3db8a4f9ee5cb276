"""The CDK command line: the very program, app and configuration that deploy to AWS."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.adapt import Template, adapt_assembly, template_path
from deploy.steps import ROOT, run

PROGRAM: Final = ROOT / "node_modules" / ".bin" / "cdk"
GRAPHS: Final = "tests/e2e/graphs/langgraph.json"
"""The built-in graphs, and those by which the acceptance tests make one thing visible each."""

STAGE: Final = "local"
STACK: Final = f"graphjobs-{STAGE}"
EVENT_BUS: Final = "default"
NO_CHANGES: Final = "(no changes)"
MAX_ACTIVE_JOBS: Final = 30
"""Of one owner; the acceptance tests have fewer at a time."""

SECONDS: Final = 600.0
ARCHITECTURES: Final = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

QUIET: Final = {
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "NODE_NO_WARNINGS": "1",
    "CI": "true",  # one line an event, nothing is redrawn
}


@dataclass(frozen=True)
class Cdk:
    """Runs the command line against an emulator.

    Attributes:
        environ: points an AWS SDK to it.
        apis: the address under which it serves HTTP APIs.
        folder: where files are kept.
    """

    environ: Mapping[str, str]
    apis: str
    folder: Path

    @property
    def log(self) -> Path:
        """Everything that it says."""
        return self.folder / "cdk.log"

    def bootstrap(self, account: str, region: str) -> None:
        """Prepare the account, once, as everybody has to."""
        # Where no cdk.json is: the app has no part in it, and is not synthesised for it.
        where = self.folder / "bootstrap"
        where.mkdir()
        self._cdk(["bootstrap", f"aws://{account}/{region}"], cwd=where)

    def synthesise(self, name: str, context: Mapping[str, str]) -> tuple[Path, list[str]]:
        """Synthesise the app and adapt it to the emulator; the assembly's folder, and what was adapted."""
        assembly = self.folder / name
        options = [part for key, value in context.items() for part in ("--context", f"{key}={value}")]
        app = f"{sys.executable} -m infra.app"
        self._cdk(["synth", "--quiet", "--app", app, "--output", str(assembly), *options])
        return assembly, adapt_assembly(assembly, STACK, self.apis, self.folder / "tmp")

    def deploy(self, assembly: Path) -> str:
        """Deploy an assembly; what was said."""
        options = ["--require-approval", "never", "--outputs-file", str(self.folder / "outputs.json")]
        return self._cdk(["deploy", STACK, "--app", str(assembly), *options])

    def destroy(self, assembly: Path) -> None:
        """Remove the stack."""
        self._cdk(["destroy", STACK, "--app", str(assembly), "--force"])

    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        named: dict[str, str] = json.loads((self.folder / "outputs.json").read_text(encoding="utf-8"))[STACK]
        return named

    def _cdk(self, arguments: list[str], cwd: Path = ROOT) -> str:
        # Nothing of the caller's own AWS configuration: a profile could name a real account.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return run(
            [str(PROGRAM), *arguments],
            self.log,
            environ={**inherited, **QUIET, **self.environ},
            cwd=cwd,
            seconds=SECONDS,
        )


def local_context(stream_url: str) -> dict[str, str]:
    """The configuration of the local deployment: as by default, but for this machine and with the tests' graphs."""
    version = sys.version_info
    return {
        "stage": STAGE,
        "bundle": "host",
        "credentials": "cli",
        # The emulator runs every Python runtime with its own interpreter; the name is only checked.
        "runtime": f"python3.{min(max(version.minor, 12), 13)}",
        "architecture": ARCHITECTURES[platform.machine()],
        "stream_url": stream_url,
        "graphs": GRAPHS,
        "account_concurrency": "10",
        # The tests are two users in a hurry.
        "max_job_viewers": "0",
        "max_owner_viewers": "0",
        "max_active_jobs": str(MAX_ACTIVE_JOBS),
        "event_bus": EVENT_BUS,
        "webhooks": "true",
    }


def install(log: Path) -> None:
    """Install the command line that package-lock.json pins, unless it is there."""
    installed = ROOT / "node_modules" / ".package-lock.json"
    if PROGRAM.exists() and installed.stat().st_mtime >= (ROOT / "package-lock.json").stat().st_mtime:
        return
    run(["npm", "ci", "--no-audit", "--no-fund"], log, seconds=SECONDS)


def template_of(assembly: Path) -> Template:
    """The template that is deployed from an assembly."""
    template: Template = json.loads(template_path(assembly, STACK).read_text(encoding="utf-8"))
    return template
