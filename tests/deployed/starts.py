"""Jobs whose workers cannot start, or not their graph.

They are begun with the first test and looked at by the last but one, since a message stays away for longer each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from deploy.cdk import GRAPHS
from deploy.users import temporary_users
from tests.deployed.deployment import Deployment
from tests.deployed.workers import WorkerCopy, bundle_of, taken, worker_copy
from tests.e2e.user import User
from tests.support.instance import described_target

MAX_STARTS: Final = 5
"""In place of ten, which take four minutes and more on a busy machine."""

UNREADABLE: Final = "unreadable"
"""The ``langgraph.json`` is none."""
KILLED: Final = "killed"
"""The module of a graph ends the process, as the kernel does when memory is used up."""
RAISING: Final = "raising"
"""The module of a graph raises."""
UNHARMED: Final = "unharmed"
"""A job of the other graph of that bundle."""

MODULES: Final = {
    KILLED: "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    RAISING: "raise RuntimeError('GRAPHJOBS_X is not set.')\n",
}
FOLDER: Final = (PurePosixPath("project") / GRAPHS).parent


def files() -> dict[str, str]:
    """What the bundle has besides: modules, and a ``langgraph.json`` for each thing that is wrong."""
    chat = "../../../examples/starter/starter/chat.py:graph"
    configs = {
        name: json.dumps({"dependencies": ["."], "graphs": {"chat": chat, "fast": f"./{name}.py:fast"}, "env": {}})
        for name in MODULES
    }
    return {
        **{str(FOLDER / f"{name}.py"): text for name, text in MODULES.items()},
        **{str(FOLDER / f"{name}.json"): text for name, text in {**configs, UNREADABLE: "{"}.items()},
    }


@dataclass(frozen=True)
class Starts:
    """Jobs that the API has accepted, each given to a copy of the worker.

    Attributes:
        jobs: their ids, by what is wrong.
        copies: the workers, the same.
        token: of the user whose jobs they are.
    """

    jobs: Mapping[str, str]
    copies: Mapping[str, WorkerCopy]
    token: str
    _made: ExitStack

    def seen_by(self, described: Mapping[str, Any]) -> User:
        """The user, who sees the service that `described` describes."""
        return User(described_target({**described, "tokens": {"user-1": self.token}}))

    def close(self) -> None:
        """Remove the workers: the stack must leave nothing behind. May be called again."""
        self._made.close()


@contextmanager
def begun(deployment: Deployment) -> Iterator[Starts]:
    """Begin them."""
    cognito, outputs = deployment.emulator.client("cognito-idp"), deployment.outputs
    with ExitStack() as made:
        bundle = bundle_of(deployment, files())
        copies = {}
        for name in (UNREADABLE, KILLED, RAISING):
            told = {"GRAPHJOBS_CONFIG": str(FOLDER / f"{name}.json"), "GRAPHJOBS_MAX_STARTS": str(MAX_STARTS)}
            copies[name] = made.enter_context(worker_copy(deployment, f"start-{name}", variables=told, bundle=bundle))
        with (
            temporary_users(cognito, outputs["UserPoolId"], outputs["UserPoolClientId"]) as tokens,
            User(described_target(deployment.target(tokens))) as user,
            taken(deployment) as take,
        ):
            jobs = {name: user.start(graph="fast", input={"name": name}) for name in copies}
            jobs[UNHARMED] = user.start(graph="chat", query="hello")
            messages = take(*jobs.values())
        # On Lambda the first start of an environment is made in the init phase, and ends with it.
        assert "exited" in copies[KILLED].begin()
        copies[UNHARMED] = copies[RAISING]
        for name, job_id in jobs.items():
            copies[name].give(messages[job_id])
        yield Starts(jobs, copies, tokens["user-1"], made)
