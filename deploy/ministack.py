"""MiniStack, the AWS emulator: installed in an environment of its own, started on a free port, ended for certain.

Holds true: it listens on 127.0.0.1 alone, checks every call against the role's policies (``AUTH``), and its
functions see neither this project's source nor its packages: only their bundles, and what Lambda itself has.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import boto3

from deploy import environment
from deploy.environment import clean_environ, free_port, wait_for
from deploy.steps import ROOT
from graphjobs.processes import running

REQUIREMENTS: Final = Path(__file__).with_name("emulator.txt")
ENVIRONMENT: Final = ROOT / "build" / "emulator"
ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
START_SECONDS: Final = 60.0

CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",  # the emulator's administrator, the same as the tests use
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def installed(log: Path) -> Path:
    """The interpreter of the emulator's environment."""
    return environment.installed(ENVIRONMENT, REQUIREMENTS, log)


class MiniStack:
    """A running emulator, at `endpoint_url`; use as a context manager."""

    def __init__(self, python: Path, folder: Path, log: Path) -> None:
        self.python = python
        self._folder = folder
        self._log = log
        self._port = free_port()
        self._running = ExitStack()

    @property
    def endpoint_url(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def apis(self) -> str:
        """The address under which HTTP APIs are, each by its id."""
        return f"{self.endpoint_url}/_aws/execute-api"

    @property
    def environ(self) -> dict[str, str]:
        """What points an AWS SDK or the CDK command line here and nowhere else."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_ENDPOINT_URL_S3": self.endpoint_url}

    def client(self, service: str, credentials: Mapping[str, str] | None = None) -> Any:
        """A client of one service, as the administrator or with an assumed role's `credentials`."""
        keys = credentials or {
            "AccessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": CREDENTIALS["AWS_SESSION_TOKEN"],
        }
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def api_url(self, deployed: str) -> str:
        """The address of a deployed HTTP API; the one that the stack says is a name that only some machines resolve."""
        api_id = deployed.partition("://")[2].partition(".")[0]
        return f"{self.apis}/{api_id}"

    def jwks_url(self, pool_id: str) -> str:
        """Where the keys of a user pool are; its issuer names the real Cognito, which does not know it."""
        return f"{self.endpoint_url}/{pool_id}/.well-known/jwks.json"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "AUTH": "true",
            # Lambda sets it, and functions ask whether it is there; the emulator hands on what it has itself.
            "AWS_LAMBDA_RUNTIME_API": "emulator",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(self._folder / "s3"),
            "STATE_DIR": str(self._folder / "state"),
        }
        environ = {**clean_environ(self.python, self._folder), **CREDENTIALS, **settings}
        command = [str(self.python), "-m", "ministack"]
        with ExitStack() as until_ready:
            process = until_ready.enter_context(running(command, environ, cwd=self._folder, log=self._log))
            wait_for(f"{self.endpoint_url}/_ministack/health", process, "MiniStack", START_SECONDS)
            self._running = until_ready.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()
