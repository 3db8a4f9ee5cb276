"""What is said of one function of a deployment. Which there are is in `manifest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphjobs.core.settings import Settings

Route = tuple[str, str]
"""Method and path, such as ``("GET", "/jobs/{job_id}/status")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """One function.

    Attributes:
        name: the folder of its entry, `functions/<name>/`, and the service in its logs and metrics.
        module: where its code begins.
        group: the dependency group of its bundle.
        routes: what it answers behind the HTTP API, each with a token; none for the others.
        needs: attributes of `Settings` that must be set; it does not start without them.
        reads: further attributes of `Settings`, which have a default.
        may: AWS actions by the name of a resource (`infra.permissions` knows their ARNs). A transaction is authorised
            as its parts are (PutItem, UpdateItem). Only what the code calls: a test compares.
        metrics: what it writes, by the names in `graphjobs.observability`.
        memory_mb: where it is no context key of the deployment.
        timeout_seconds: where it is no context key of the deployment.
        part: of which deployments it is: those with ``notify``, ``rest_api`` or ``canary``; empty for all.
    """

    name: str
    module: str
    group: str
    routes: tuple[Route, ...] = ()
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    may: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    memory_mb: int | None = None
    timeout_seconds: int | None = None
    part: str = ""

    @property
    def optional(self) -> bool:
        """Whether only a deployment that asks for it has it."""
        return bool(self.part)

    @property
    def services(self) -> frozenset[str]:
        """The AWS services that it calls, by the names that IAM and the SDK have in common."""
        return frozenset(action.partition(":")[0] for actions in self.may.values() for action in actions)

    def settings(self, environ: Mapping[str, str]) -> Settings:
        """The settings of this function.

        Raises:
            SettingsError: one that it needs is missing, or one is wrong.
        """
        return Settings.from_env(environ, required=self.needs)
