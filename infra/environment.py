"""The environment variables of each function: only those that it reads (`graphjobs.core.settings`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from graphjobs.core.manifest import FUNCTIONS
from infra.config import Config
from infra.graph_project import GraphProject

DAY: Final = 86_400

READS: Final[Mapping[str, tuple[str, ...]]] = {
    spec.name: tuple(name.upper() for name in (*spec.needs, *spec.reads)) for spec in FUNCTIONS.values()
}
"""The settings of each function, as variables without their prefix."""

NAMESPACE_VARIABLE: Final = "POWERTOOLS_METRICS_NAMESPACE"


def namespace(config: Config) -> str:
    """Of the metrics: a stage's own, since the functions of two stages in one account are called alike."""
    return f"graphjobs/{config.stage}"


@dataclass(frozen=True, slots=True)
class Environment:
    """All variables by name, without their prefix, and the `namespace` of the metrics."""

    namespace: str

    values: Mapping[str, str]

    def of(self, function: str) -> dict[str, str]:
        """The variables of one function; an empty value is left out."""
        ours = {f"GRAPHJOBS_{name}": self.values[name] for name in READS[function] if self.values[name]}
        return ours | ({NAMESPACE_VARIABLE: self.namespace} if FUNCTIONS[function].metrics else {})

    def with_value(self, name: str, value: str) -> Environment:
        """A copy with one variable more."""
        return Environment(self.namespace, {**self.values, name: value})


def from_config(config: Config, project: GraphProject, digest: str) -> dict[str, str]:
    """The variables that do not depend on what is deployed; `digest` is that of the graphs and their packages."""
    return {
        "GRAPHS": ",".join(project.names),
        "CONFIG": project.deployed_path,
        "MODEL": config.model,
        "LEASE_SECONDS": str(config.lease_seconds),
        "HEARTBEAT_SECONDS": str(config.heartbeat_seconds),
        "FLUSH_INTERVAL_MS": str(config.flush_interval_ms),
        "MAX_ATTEMPTS": str(config.max_attempts),
        "MAX_STARTS": str(config.max_starts),
        "MAX_HANDOFFS": str(config.max_handoffs),
        "DEFAULT_TIMEOUT_SECONDS": str(config.default_timeout_seconds),
        "MAX_TIMEOUT_SECONDS": str(config.max_timeout_seconds),
        "RETENTION_SECONDS": str(config.retention_days * DAY),
        "THREAD_RETENTION_SECONDS": str(config.thread_retention_days * DAY),
        "STREAM_WINDOW_SECONDS": str(config.stream_window_seconds),
        "ADMIN_CLAIM": config.admin_claim,
        "ADMIN_VALUE": config.admin_value,
        "CANARY_SECRET": config.canary_secret,
        "CANARY_BODY": config.canary_body,
        "MAX_JOB_VIEWERS": str(config.max_job_viewers),
        "MAX_OWNER_VIEWERS": str(config.max_owner_viewers),
        "MAX_ACTIVE_JOBS": str(config.max_active_jobs),
        "SECRETS": json.dumps(dict(config.worker_secrets)) if config.worker_secrets else "",
        "LOG_GRAPH_ERRORS": config.graph_errors,
        "GRAPH_DIGEST": digest,
        "ON_NEW_VERSION": config.on_new_version,
        "ERROR_DETAIL": config.error_detail,
    }
