"""The configuration of a deployment: one typed object, read from the CDK context (`cdk.json`, `-c key=value`).

Every value is checked when the app is synthesised; a wrong one is refused with a message that names its key.
docs/DEPLOY.md lists the keys for people.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Final

from graphjobs.core.manifest import API
from infra.graph_project import BUILT_IN
from infra.values import Parser, flag, one_of, text, texts, variables, whole

PRODUCTION_STAGES: Final = ("prod", "production")
LOG_RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
ADAPTER_ACCOUNT: Final = "753240598075"
"""The account in which AWS publishes the Lambda Web Adapter layers."""

SNAP_START_LAYER: Final = 30
"""Of Lambda Web Adapter 1.1.0, the first that takes part in SnapStart: it connects and checks anew after a restore."""

RUNTIMES: Final = ("python3.12", "python3.13")
"""Those on Amazon Linux 2023: the glibc of older ones cannot load the wheels that are bundled (`infra.uv.GLIBC`), and
none of them has SnapStart."""

UNRESERVED_MINIMUM: Final = 100
"""What Lambda itself insists on leaving unreserved."""

_HTTPS = r"https://[^\s/?#]+(/[^\s?#]*)?"
_HTTP = _HTTPS.replace("https", "https?")
_ARN = r"arn:[^\s]+"


class ConfigError(ValueError):
    """A context value is wrong; the message is one line and names the key."""


def _key(parse: Parser, default: Any = MISSING, help: str = "") -> Any:
    metadata = {"parse": parse, "help": help}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One attribute a context key."""

    # Where.
    stage: str = _key(text(r"[a-z][a-z0-9-]{0,19}", "dev"), "dev", "Name of the deployment; prod keeps its data.")
    region: str = _key(text(r"[a-z]{2}(-[a-z]+)+-\d", "eu-west-1"), "", "Default: that of the AWS credentials.")

    # Who may call.
    issuer: str = _key(text(_HTTPS, "https://issuer.example.com"), "", "OIDC issuer; default: a Cognito user pool.")
    audience: tuple[str, ...] = _key(texts(r"[^\s,]+", "my-api"), (), "Accepted `aud` (or `client_id`).")
    cors_origins: tuple[str, ...] = _key(texts(r"\*|https?://[^\s/]+", "https://app.example.com"), ("*",))

    # What runs.
    graphs: str = _key(text(r".*\.json", "langgraph.json"), f"{BUILT_IN}/langgraph.json", "Path of a langgraph.json.")
    model: str = _key(text(r"[a-z_]+:\S+", "bedrock_converse:MODEL_ID"), "", "Default: the offline model.")
    bedrock_resources: tuple[str, ...] = _key(texts(_ARN, "arn:aws:bedrock:..."), (), "Default: from the model.")
    worker_environment: tuple[tuple[str, str], ...] = _key(variables, (), "Plain variables of the worker.")
    worker_policies: tuple[str, ...] = _key(texts(_ARN, "arn:aws:iam::..."), (), "Managed policies of the worker.")

    # The life of a job.
    default_timeout_seconds: int = _key(whole(1, 604_800, "seconds"), 3_600)
    max_timeout_seconds: int = _key(whole(1, 604_800, "seconds"), 86_400)
    retention_days: int = _key(whole(1, 365, "days"), 7, "How long a finished job can be read.")
    max_attempts: int = _key(whole(1, 100), 3)
    max_handoffs: int = _key(whole(0, 100_000), 200)
    lease_seconds: int = _key(whole(10, 600, "seconds"), 45)
    heartbeat_seconds: int = _key(whole(2, 300, "seconds"), 15)
    flush_interval_ms: int = _key(whole(0, 5_000, "milliseconds"), 50)
    reconcile_minutes: int = _key(whole(1, 60, "minutes"), 1)

    # Functions.
    runtime: str = _key(one_of(RUNTIMES), "python3.13")
    architecture: str = _key(one_of(("arm64", "x86_64")), "arm64")
    api_memory_mb: int = _key(whole(128, 10_240, "MB"), 512)
    stream_memory_mb: int = _key(whole(256, 10_240, "MB"), 256)
    worker_memory_mb: int = _key(whole(256, 10_240, "MB"), 512)
    api_timeout_seconds: int = _key(whole(3, 29, "seconds"), 29)
    worker_timeout_seconds: int = _key(whole(60, 900, "seconds"), 900)
    stream_window_seconds: int = _key(whole(15, 840, "seconds"), 120)
    snap_start: bool = _key(flag, False)
    adapter_layer_version: int = _key(whole(1, 10_000), SNAP_START_LAYER, "Version of the Lambda Web Adapter layer.")
    adapter_layer_arn: str = _key(text(r"arn:[^:]+:lambda:[^:]+:\d{12}:layer:[^:]+:\d+", "arn:...:layer:name:1"), "")
    stream_url: str = _key(text(_HTTP, "https://stream.example.com"), "", "An address in front of the function URL.")

    # Concurrency.
    account_concurrency: int = _key(whole(10, 1_000_000), 10, "The account's Lambda quota in this region.")
    worker_max_concurrency: int = _key(whole(2, 1_000), 0, "Default: half of the account's quota.")
    stream_reserved_concurrency: int = _key(whole(1, 1_000_000), 0, "Default: not reserved.")
    api_reserved_concurrency: int = _key(whole(1, 1_000_000), 0, "For each function of the API.")
    throttle_rate: int = _key(whole(1, 100_000), 100, "Requests a second.")
    throttle_burst: int = _key(whole(1, 100_000), 200)

    # Operations.
    log_retention_days: int = _key(one_of(LOG_RETENTION_DAYS), 30)
    alarm_email: str = _key(text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "ops@example.com"), "")
    bundle: str = _key(
        one_of(("lambda", "host", "none")),
        "lambda",
        "host: for this machine; none: synthesise without code (tests).",
    )
    credentials: str = _key(
        one_of(("bootstrap-roles", "cli")), "bootstrap-roles", "cli: deploy as the caller (emulators)."
    )

    def __post_init__(self) -> None:
        _check_auth(self)
        _check_life(self)
        _check_functions(self)
        _check_concurrency(self)
        if self.bedrock_resources and not self.model.startswith("bedrock"):
            raise ConfigError("bedrock_resources: is for a model of Bedrock only; set model.")

    @property
    def production(self) -> bool:
        """Whether data outlives the stack."""
        return self.stage in PRODUCTION_STAGES

    @property
    def workers(self) -> int:
        """Jobs that run at once."""
        return self.worker_max_concurrency or max(2, min(1_000, self.account_concurrency // 2))

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Config:
        """Read the configuration; keys of CDK itself (with ``@``, ``:`` or ``aws-cdk``) are passed over.

        Raises:
            ConfigError: a key is unknown or a value is wrong.
        """
        known = {spec.name: spec for spec in fields(cls)}
        ours = {key: raw for key, raw in context.items() if not ("@" in key or ":" in key or "aws-cdk" in key)}
        for key in ours:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise ConfigError(f"{key}: there is no such key.{hint}")
        return cls(**{key: _parsed(known[key], raw) for key, raw in ours.items() if raw not in ("", None)})


def _parsed(spec: Field[Any], raw: Any) -> Any:
    try:
        return spec.metadata["parse"](raw)
    except ValueError as error:
        raise ConfigError(f"{spec.name}: {error}.") from None


def _check_auth(config: Config) -> None:
    if bool(config.issuer) != bool(config.audience):
        missing = "audience" if config.issuer else "issuer"
        raise ConfigError(f"{missing}: issuer and audience go together; set both or neither.")


def _check_life(config: Config) -> None:
    if config.heartbeat_seconds * 2 > config.lease_seconds:
        raise ConfigError("heartbeat_seconds: must be at most half of lease_seconds.")
    if config.default_timeout_seconds > config.max_timeout_seconds:
        raise ConfigError("default_timeout_seconds: must not be above max_timeout_seconds.")
    if config.worker_timeout_seconds < 2 * config.lease_seconds:
        raise ConfigError("worker_timeout_seconds: must be at least twice lease_seconds.")


def _check_functions(config: Config) -> None:
    if config.snap_start and not config.adapter_layer_arn and config.adapter_layer_version < SNAP_START_LAYER:
        raise ConfigError(f"adapter_layer_version: snap_start needs {SNAP_START_LAYER} or newer.")


def _check_concurrency(config: Config) -> None:
    if config.workers >= config.account_concurrency:
        raise ConfigError(
            f"worker_max_concurrency: {config.workers} workers leave nothing of account_concurrency "
            f"({config.account_concurrency}) to the API and the viewers."
        )
    api = config.api_reserved_concurrency * len(API)
    reserved = config.stream_reserved_concurrency + api
    left = config.account_concurrency - reserved
    needed = max(UNRESERVED_MINIMUM, config.workers + 1)
    if reserved and left < needed:
        key = "stream_reserved_concurrency" if config.stream_reserved_concurrency else "api_reserved_concurrency"
        raise ConfigError(
            f"{key}: reserving {reserved} of account_concurrency ({config.account_concurrency}) leaves {left}; "
            f"{needed} are needed for Lambda's minimum of {UNRESERVED_MINIMUM} and {config.workers} workers."
        )
