"""`graphjobs admin` in the test's process, on a backend on moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graphjobs.admin import deployment
from graphjobs.aws import backend as stores
from graphjobs.aws import clients
from graphjobs.cli.main import main
from graphjobs.testing.aws import client
from tests.support.backend import Backend, backend


@dataclass
class Ran:
    """What a command has come to."""

    code: int
    out: str
    err: str


@dataclass
class Operator:
    """Calls `graphjobs` with arguments; `begin` goes before them."""

    capsys: pytest.CaptureFixture[str]
    begin: tuple[str, ...] = ("admin",)

    def __call__(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        code = main([*self.begin, *arguments])
        return Ran(code, *self.capsys.readouterr())


@contextmanager
def operated(folder: Path, **settings: Any) -> Iterator[Backend]:
    """A fresh backend; the environment names its tables, and commands have its clock."""
    with pytest.MonkeyPatch.context() as patch, backend(in_memory=True, **settings) as fresh:
        patch.chdir(folder)
        patch.delenv("GRAPHJOBS_STATE_DIR", raising=False)
        for name, value in fresh.environ.items():
            patch.setenv(name, value)
        share_clients(patch)
        made = stores.Backend
        patch.setattr(deployment, "Backend", lambda settings: made(settings, clock=fresh.clock))
        yield fresh


def share_clients(patch: pytest.MonkeyPatch) -> None:
    """Have commands use the clients that the tests share: making one takes longer than most tests."""

    def shared(service: str) -> Any:
        return lambda config=None: client(service)

    for name in ("dynamodb", "sqs", "s3", "cloudformation", "lambda_", "logs"):
        patch.setattr(clients, name, shared(name.strip("_")))
