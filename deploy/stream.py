"""The stream function as a process: what the emulator's function URL cannot do, done by the deployed bundle itself.

The emulator has no layers, so no Lambda Web Adapter, and its function URLs buffer. Everything else is the real
thing: the zip that was deployed, started by its ``run.sh``, with the function's own variables and its role's
credentials, in an interpreter that has none of the project's packages.
"""

from __future__ import annotations

import io
import urllib.request
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from deploy.environment import clean_environ, wait_for
from deploy.ministack import REGION, MiniStack
from deploy.steps import Failed
from graphjobs.processes import running

SCRIPT: Final = "run.sh"
START_SECONDS: Final = 60.0
OF_THE_ADAPTER: Final = ("AWS_LAMBDA_EXEC_WRAPPER", "AWS_LWA_PORT")


class StreamProcess:
    """The deployed stream function `function_name` on `port` of 127.0.0.1; use as a context manager."""

    def __init__(self, emulator: MiniStack, function_name: str, port: int, pool_id: str, folder: Path) -> None:
        self._emulator = emulator
        self._function_name = function_name
        self._port = port
        self._pool_id = pool_id
        self._folder = folder
        self._running = ExitStack()

    def __enter__(self) -> Self:
        function = self._emulator.client("lambda").get_function(FunctionName=self._function_name)
        task_root = self._folder / "stream"
        with urllib.request.urlopen(function["Code"]["Location"], timeout=60) as archive:
            unpack(archive.read(), task_root)
        home = self._folder / "stream-home"
        home.mkdir(exist_ok=True)
        environ = {
            **clean_environ(self._emulator.python, home),
            **self._environ(function["Configuration"], task_root),
        }
        ready = function["Configuration"]["Environment"]["Variables"]["AWS_LWA_READINESS_CHECK_PATH"]
        log = self._folder / "stream.log"
        with ExitStack() as until_ready:
            process = until_ready.enter_context(running([str(task_root / SCRIPT)], environ, cwd=task_root, log=log))
            wait_for(f"http://127.0.0.1:{self._port}{ready}", process, "The stream function", START_SECONDS)
            self._running = until_ready.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def _environ(self, configuration: dict[str, Any], task_root: Path) -> dict[str, str]:
        own = {
            name: value
            for name, value in configuration["Environment"]["Variables"].items()
            if name not in OF_THE_ADAPTER
        }
        role = self._emulator.client("sts").assume_role(RoleArn=configuration["Role"], RoleSessionName="stream")
        return {
            **own,
            # What Lambda adds.
            "AWS_ACCESS_KEY_ID": role["Credentials"]["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": role["Credentials"]["SecretAccessKey"],
            "AWS_SESSION_TOKEN": role["Credentials"]["SessionToken"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": self._function_name,
            "LAMBDA_TASK_ROOT": str(task_root),
            # What is of the emulator.
            "AWS_ENDPOINT_URL": self._emulator.endpoint_url,
            "AWS_LWA_PORT": str(self._port),
            "GRAPHJOBS_OIDC_JWKS_URL": self._emulator.jwks_url(self._pool_id),
        }


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a function's zip as Lambda does: with each file's mode.

    Raises:
        Failed: the start script is missing or cannot be executed, so Lambda could not start it either.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        for entry in bundle.infolist():
            path = Path(bundle.extract(entry, folder))
            mode = (entry.external_attr >> 16) & 0o777
            if mode and path.is_file():
                path.chmod(mode)
    script = folder / SCRIPT
    if not script.is_file() or not script.stat().st_mode & 0o111:
        raise Failed(f"{SCRIPT} is not in the stream function's zip, or cannot be executed")
