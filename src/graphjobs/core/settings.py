"""Settings: every environment variable that graphjobs reads, with its default and its bounds.

A standard-library dataclass, not a pydantic model, since the stream and the reconciler need no pydantic.
A value that is missing or wrong is refused at start-up with the variable's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PREFIX = "GRAPHJOBS_"
WEBHOOK_HOSTS = ("", "public", "any")
"""Which hosts a webhook may name: none at all, those of the public internet, any (on one's own machine)."""


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the environment variable."""


def _bounded(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _one_of(default: str, *others: str) -> Any:
    return field(default=default, metadata={"values": (default, *others)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One attribute an environment variable: ``GRAPHJOBS_`` and the name in capitals. Times are in seconds."""

    # Where things are. A function is given only those that it uses.
    jobs_table: str = ""
    events_table: str = ""
    checkpoints_table: str = ""
    store_table: str = ""
    queue_url: str = ""
    payload_bucket: str = ""
    api_url: str = ""
    stream_url: str = ""

    # Who may call.
    oidc_issuer: str = ""
    oidc_audience: tuple[str, ...] = ()
    oidc_jwks_url: str = ""
    ticket_secret: str = ""
    admin_claim: str = ""
    admin_value: str = ""

    # Who is told of a job's status.
    event_bus: str = ""
    webhooks_url: str = ""
    webhook_secret: str = ""
    webhook_hosts: str = ""

    # The canary.
    canary_secret: str = ""
    canary_body: str = '{"query":"canary"}'

    # What runs.
    graphs: tuple[str, ...] = ("chat",)
    config: str = "langgraph.json"
    model: str = ""
    secrets: str = ""
    log_graph_errors: str = "full"
    graph_digest: str = ""
    on_new_version: str = _one_of("resume", "restart", "fail")
    error_detail: str = _one_of("class", "none", "message")
    release: str = ""

    # The life of a job.
    lease_seconds: float = _bounded(45, 0.5, 600)
    heartbeat_seconds: float = _bounded(15, 0.1, 300)
    watch_seconds: float = _bounded(0.75, 0.05, 1.5)
    flush_interval_ms: float = _bounded(50, 0, 5_000)
    max_attempts: int = _bounded(3, 1, 100)
    max_starts: int = _bounded(10, 1, 50)
    max_handoffs: int = _bounded(200, 0, 100_000)
    default_timeout_seconds: int = _bounded(3_600, 1, 604_800)
    max_timeout_seconds: int = _bounded(86_400, 1, 604_800)
    retention_seconds: int = _bounded(604_800, 60, 31_536_000)
    thread_retention_seconds: int = _bounded(2_592_000, 60, 315_360_000)
    max_active_jobs: int = _bounded(0, 0, 1_000_000)
    max_body_bytes: int = _bounded(5_242_880, 1_024, 5_242_880)
    function_timeout_seconds: float = _bounded(900, 1, 900)
    reconcile_seconds: float = _bounded(60, 0.2, 3_600)

    # The stream.
    stream_window_seconds: float = _bounded(120, 0.2, 840)
    stream_heartbeat_seconds: float = _bounded(15, 0.25, 15)  # over the slowest poll, which a heartbeat begins anew
    max_job_viewers: int = _bounded(0, 0, 1_000_000)
    max_owner_viewers: int = _bounded(0, 0, 1_000_000)
    stream_cors_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.webhook_hosts not in WEBHOOK_HOSTS:
            raise SettingsError("GRAPHJOBS_WEBHOOK_HOSTS must be empty, public or any.")
        if bool(self.admin_claim) != bool(self.admin_value):
            raise SettingsError("GRAPHJOBS_ADMIN_CLAIM and GRAPHJOBS_ADMIN_VALUE go together; set both or neither.")
        if set(self.admin_value) & set(" []"):
            raise SettingsError("GRAPHJOBS_ADMIN_VALUE is one value, without spaces or square brackets.")
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise SettingsError("GRAPHJOBS_HEARTBEAT_SECONDS must be at most half of GRAPHJOBS_LEASE_SECONDS.")
        if self.default_timeout_seconds > self.max_timeout_seconds:
            raise SettingsError("GRAPHJOBS_DEFAULT_TIMEOUT_SECONDS must not be above GRAPHJOBS_MAX_TIMEOUT_SECONDS.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, required: tuple[str, ...] = ()) -> Settings:
        """Read the settings from `environ`; `required` names the attributes that must not be empty.

        Raises:
            SettingsError: a required variable is missing, or a value is malformed or out of bounds.
        """
        values = {}
        for spec in fields(cls):
            variable = PREFIX + spec.name.upper()
            text = environ.get(variable, "").strip()
            if text:
                values[spec.name] = _parse(variable, text, str(spec.type), spec.metadata)
            elif spec.name in required:
                raise SettingsError(f"{variable} is not set.")
        return cls(**values)


def _parse(variable: str, text: str, kind: str, bounds: Mapping[str, Any]) -> Any:
    if kind == "str":
        if "values" in bounds and text not in bounds["values"]:
            raise SettingsError(f"{variable} must be one of {', '.join(bounds['values'])}, not {text!r}.")
        return text
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        number = int(text) if kind == "int" else float(text)
    except ValueError:
        raise SettingsError(f"{variable} must be a number, not {text!r}.") from None
    if not bounds["low"] <= number <= bounds["high"]:
        raise SettingsError(f"{variable} must be between {bounds['low']} and {bounds['high']}, not {text}.")
    return number
