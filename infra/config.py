"""The configuration of a deployment: one typed object, read from the CDK context (`cdk.json`, `-c key=value`).

Every value is checked when the app is synthesised; a wrong one is refused with a message that names its key.
docs/DEPLOY.md lists the keys for people.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Final

from graphjobs.core.api_functions import API
from graphjobs.core.lifecycle import FAIL, RESTART, RESUME
from infra.graph_project import DEFAULT
from infra.values import SECRET_ARN, Parser, flag, one_of, secrets, text, texts, variables, whole

PRODUCTION_STAGES: Final = ("prod", "production")
LOG_RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
ADAPTER_ACCOUNT: Final = "753240598075"
"""The account in which AWS publishes the Lambda Web Adapter layers."""

SNAP_START_LAYER: Final = 30
"""Of Lambda Web Adapter 1.1.0, the first that takes part in SnapStart: it connects and checks anew after a restore."""

RUNTIMES: Final = ("python3.12", "python3.13")
"""Those on Amazon Linux 2023: the glibc of older ones cannot load the wheels that are bundled (`GLIBC` in
`graphjobs.packages.uv`), and none of them has SnapStart."""

NOT_GIVEN: Final = -1
RESERVING_QUOTA: Final = 200
"""From this quota on a share is kept for the viewers by default, which bounds them too."""

OF_THE_COMMAND_LINE: Final = frozenset({"acknowledged-issue-numbers", "cli-telemetry"})
"""Keys that the CDK command line itself writes into cdk.context.json."""

UNRESERVED_MINIMUM: Final = 100
"""What Lambda itself insists on leaving unreserved."""

_HTTPS = r"https://[^\s/?#]+(/[^\s?#]*)?"
_HTTP = _HTTPS.replace("https", "https?")
_ARN = r"arn:[^\s]+"
_KMS_KEY = r"arn:[^:\s]+:kms:[^:\s]+:\d{12}:key/[^\s]+"


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
    admin_claim: str = _key(text(r"\S+", "scope"), "", "Claim of an administrator's token; goes with admin_value.")
    admin_value: str = _key(text(r"[^\s\[\]]+", "graphjobs/admin"), "", "What that claim holds.")
    cors_origins: tuple[str, ...] = _key(texts(r"\*|https?://[^\s/]+", "https://app.example.com"), ("*",))

    # Who is told of a job's status.
    event_bus: str = _key(text(r"[\w./-]{1,256}", "default"), "", "An EventBridge bus that gets each change of status.")
    webhooks: bool = _key(flag, False, "Whether a job may name a webhook.")

    # What runs.
    graphs: str = _key(text(r".*\.json", "langgraph.json"), DEFAULT, "Path of a langgraph.json.")
    deploy_env_file: bool = _key(flag, False, "Deploy the dotenv file that langgraph.json names.")
    check_graphs: bool = _key(flag, True, "Import the graphs before they are deployed.")
    write_lock: bool = _key(flag, False, "Write graphjobs-lock.txt beside langgraph.json.")
    worker_package: str = _key(one_of(("zip", "image")), "zip", "image: a container image, for more than 250 MB.")
    on_new_version: str = _key(
        one_of((RESUME, RESTART, FAIL)), RESUME, "A job that was begun with other graphs: resume, restart or fail."
    )
    model: str = _key(text(r"[a-z_]+:\S+", "bedrock_converse:MODEL_ID"), "", "Default: the offline model.")
    bedrock_resources: tuple[str, ...] = _key(texts(_ARN, "arn:aws:bedrock:..."), (), "Default: from the model.")
    worker_environment: tuple[tuple[str, str], ...] = _key(variables, (), "Plain variables of the worker.")
    worker_secrets: tuple[tuple[str, str], ...] = _key(secrets, (), "Variables of the worker, from Secrets Manager.")
    worker_policies: tuple[str, ...] = _key(texts(_ARN, "arn:aws:iam::..."), (), "Managed policies of the worker.")

    # The life of a job.
    default_timeout_seconds: int = _key(whole(1, 604_800, "seconds"), 3_600)
    max_timeout_seconds: int = _key(whole(1, 604_800, "seconds"), 86_400)
    retention_days: int = _key(whole(1, 365, "days"), 7, "How long a finished job can be read.")
    thread_retention_days: int = _key(whole(1, 3_650, "days"), 30, "How long a thread is kept after its last job.")
    max_attempts: int = _key(whole(1, 100), 3)
    max_starts: int = _key(whole(1, 50), 10, "Workers in a row that cannot start until a job fails.")
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
    stream_front: str = _key(one_of(("url", "rest_api")), "url", "rest_api: API Gateway in place of a function URL.")
    web_acl_arn: str = _key(text(r"arn:[^:\s]+:wafv2:[^:\s]+:\d{12}:regional/webacl/[^\s]+", "arn:aws:wafv2:..."), "")
    stream_url: str = _key(text(_HTTP, "https://stream.example.com"), "", "An address in front of the function URL.")

    # Concurrency.
    account_concurrency: int = _key(whole(10, 1_000_000), 10, "The account's Lambda quota in this region.")
    worker_max_concurrency: int = _key(whole(2, 1_000), 0, "Default: half of the account's quota.")
    stream_reserved_concurrency: int = _key(whole(0, 1_000_000), NOT_GIVEN, "0: not reserved.")
    api_reserved_concurrency: int = _key(whole(1, 1_000_000), 0, "For each function of the API.")
    max_job_viewers: int = _key(whole(0, 1_000_000), 20, "Streams of one job opened per window; 0: no limit.")
    max_owner_viewers: int = _key(whole(0, 1_000_000), 100, "Streams of one owner's jobs, likewise.")
    max_active_jobs: int = _key(whole(0, 1_000_000), 0, "Of one owner; 0: no limit.")
    throttle_rate: int = _key(whole(1, 100_000), 100, "Requests a second.")
    throttle_burst: int = _key(whole(1, 100_000), 200)

    # Operations.
    log_retention_days: int = _key(one_of(LOG_RETENTION_DAYS), 30)
    log_graph_errors: str = _key(one_of(("type", "full")), "", "Default: type in production, else full.")
    error_detail: str = _key(one_of(("none", "class", "message")), "class", "What clients are told of an exception.")
    xray: bool = _key(flag, False, "Traces of the functions.")
    kms_key_arn: str = _key(text(_KMS_KEY, "arn:aws:kms:REGION:ACCOUNT:key/ID"), "", "Default: keys of AWS's own.")
    alarm_email: str = _key(text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "ops@example.com"), "")
    canary: bool | None = _key(flag, None, "Default: in production, where its user can be made.")
    canary_secret: str = _key(text(SECRET_ARN, "the whole ARN of a secret"), "", "Credentials of the canary.")
    canary_body: str = _key(text(r"\s*\{.*\}\s*", '{"query": "canary"}'), "", "What it asks for.")
    budget_usd: int = _key(whole(0, 10_000_000, "US dollars"), 0, "Of the account a month; 0: no budget.")
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
        _check_operations(self)
        _check_concurrency(self)
        if self.bedrock_resources and not self.model.startswith("bedrock"):
            raise ConfigError("bedrock_resources: is for a model of Bedrock only; set model.")

    @property
    def production(self) -> bool:
        """Whether data outlives the stack."""
        return self.stage in PRODUCTION_STAGES

    @property
    def notifies(self) -> bool:
        """Whether anybody is told of a job's status."""
        return bool(self.event_bus) or self.webhooks

    @property
    def parts(self) -> frozenset[str]:
        """The optional parts that this deployment has; see `FunctionSpec.part`."""
        return (
            frozenset({"notify"} if self.notifies else ())
            | frozenset({self.stream_front} - {"url"})
            | frozenset({"canary"} if self.has_canary else ())
        )

    @property
    def has_canary(self) -> bool:
        """Whether a canary tries the deployment out; in production it needs no asking for."""
        if self.canary is not None:
            return self.canary
        return bool(self.canary_secret) or (self.production and not self.issuer)

    @property
    def workers(self) -> int:
        """Jobs that run at once."""
        return self.worker_max_concurrency or max(2, min(1_000, self.account_concurrency // 2))

    @property
    def reserved_for_viewers(self) -> int:
        """Executions that are kept for viewers, and the most that they can take; 0 keeps none and bounds nothing."""
        if self.stream_reserved_concurrency != NOT_GIVEN:
            return self.stream_reserved_concurrency
        share = self.account_concurrency // 4
        left = self.account_concurrency - share - self.api_reserved_concurrency * len(API)
        return share if self.account_concurrency >= RESERVING_QUOTA and left >= self.unreserved_minimum else 0

    @property
    def unreserved_minimum(self) -> int:
        """What no reservation may touch: Lambda's own minimum, and room for the workers."""
        return max(UNRESERVED_MINIMUM, self.workers + 1)

    @property
    def graph_errors(self) -> str:
        """What is logged of an exception of a graph: its ``type``, or the ``full`` trace, which may quote users."""
        return self.log_graph_errors or ("type" if self.production else "full")

    @classmethod
    def from_context(cls, context: Mapping[str, Any], *, foreign: Collection[str] = ()) -> Config:
        """Read the configuration; keys of CDK itself (with ``@``, ``:`` or ``aws-cdk``) are passed over.

        `foreign` names keys that may be there although they are none of ours.

        Raises:
            ConfigError: a key is unknown or a value is wrong.
        """
        known = {spec.name: spec for spec in fields(cls)}
        passed_over = OF_THE_COMMAND_LINE | (set(foreign) - set(known))
        ours = {
            key: raw
            for key, raw in context.items()
            if not ("@" in key or ":" in key or "aws-cdk" in key or key in passed_over)
        }
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
    if bool(config.admin_claim) != bool(config.admin_value):
        missing = "admin_value" if config.admin_claim else "admin_claim"
        raise ConfigError(f"{missing}: admin_claim and admin_value go together; set both or neither.")


def _check_life(config: Config) -> None:
    if config.heartbeat_seconds * 2 > config.lease_seconds:
        raise ConfigError("heartbeat_seconds: must be at most half of lease_seconds.")
    if config.default_timeout_seconds > config.max_timeout_seconds:
        raise ConfigError("default_timeout_seconds: must not be above max_timeout_seconds.")
    if config.worker_timeout_seconds < 2 * config.lease_seconds:
        raise ConfigError("worker_timeout_seconds: must be at least twice lease_seconds.")
    if config.thread_retention_days < config.retention_days:
        raise ConfigError(
            f"thread_retention_days: must be at least retention_days ({config.retention_days}); "
            "a job that asks a person could be read, and no longer be answered."
        )


def _check_functions(config: Config) -> None:
    twice = {name for name, _ in config.worker_environment} & {name for name, _ in config.worker_secrets}
    if twice:
        raise ConfigError(f"worker_secrets: {min(twice)} is in worker_environment as well.")
    if config.snap_start and not config.adapter_layer_arn and config.adapter_layer_version < SNAP_START_LAYER:
        raise ConfigError(f"adapter_layer_version: snap_start needs {SNAP_START_LAYER} or newer.")
    if config.snap_start and config.worker_package == "image":
        raise ConfigError("worker_package: an image has no SnapStart; set snap_start=false or worker_package=zip.")


def _check_operations(config: Config) -> None:
    if config.budget_usd and not config.alarm_email:
        raise ConfigError("budget_usd: a budget writes to alarm_email; set that too.")
    if config.canary_secret and config.canary is False:
        raise ConfigError("canary_secret: is given although canary is false; leave one of them out.")
    if config.canary and config.issuer and not config.canary_secret:
        raise ConfigError("canary_secret: with an issuer of your own the canary needs credentials (docs/DEPLOY.md, 4).")
    if config.web_acl_arn and config.stream_front != "rest_api":
        raise ConfigError("web_acl_arn: a function URL has no WAF; set stream_front=rest_api.")


def _check_concurrency(config: Config) -> None:
    if config.workers >= config.account_concurrency:
        raise ConfigError(
            f"worker_max_concurrency: {config.workers} workers leave nothing of account_concurrency "
            f"({config.account_concurrency}) to the API and the viewers."
        )
    api = config.api_reserved_concurrency * len(API)
    reserved = config.reserved_for_viewers + api
    left = config.account_concurrency - reserved
    needed = config.unreserved_minimum
    if reserved and left < needed:
        key = "stream_reserved_concurrency" if config.reserved_for_viewers else "api_reserved_concurrency"
        raise ConfigError(
            f"{key}: reserving {reserved} of account_concurrency ({config.account_concurrency}) leaves {left}; "
            f"{needed} are needed for Lambda's minimum of {UNRESERVED_MINIMUM} and {config.workers} workers."
        )
