"""AWS clients with the time-outs and retries that each use needs, and what their errors mean.

botocore's own 60 s read time-out outlives a lease and most HTTP requests, so no client here is left with it.
Entry files build clients once and pass them down; nothing here is created at import.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    Service = Literal["dynamodb", "sqs", "s3", "secretsmanager", "events", "cloudformation", "lambda", "logs"]

ENDPOINT_VARIABLE: Final = "GRAPHJOBS_AWS_ENDPOINT_URL"
EMULATOR_REGION: Final = "us-east-1"

REQUEST: Final = Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}, tcp_keepalive=True
)
"""For calls behind an HTTP request: 18 s at most, so that the HTTP API's 30 leave time to try again."""

WORKER: Final = Config(
    connect_timeout=2, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 5}, tcp_keepalive=True
)
"""For a worker's writes, which are worth waiting for."""

HEARTBEAT: Final = Config(
    connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}, tcp_keepalive=True
)
"""For the lease: an answer that comes late is worth less than another try."""


def longest_call(config: Config) -> float:
    """Seconds that one call may take: each try to its time-out, and botocore's backoff of up to 2**n between."""
    tries = int(config.retries["total_max_attempts"])  # type: ignore[attr-defined]
    longest = max(config.connect_timeout, config.read_timeout)  # type: ignore[attr-defined]
    return float(tries * longest + sum(2**n for n in range(tries - 1)))


CONFLICT_CODES: Final = frozenset({"TransactionConflictException", "TransactionInProgressException"})

TRANSIENT_CODES: Final = CONFLICT_CODES | frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed later: throttling, a fault of the service or of the network."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in TRANSIENT_CODES or status >= 500
    return isinstance(error, BotoCoreError) and not isinstance(error, ParamValidationError)


def error_code(error: ClientError) -> str:
    """The service's code of an error, such as ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellation_codes(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, one code an item; the error's own code if it says no more."""
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return [str(reason.get("Code", "None")) for reason in reasons] or [error_code(error)]


def lost_a_race(error: ClientError) -> bool:
    """Whether a transaction failed only because another one was at the same items."""
    codes = {code for code in cancellation_codes(error) if code != "None"}
    return bool(codes) and codes <= {"ConditionalCheckFailed", "TransactionConflict"} | CONFLICT_CODES


def endpoint() -> str | None:
    """The emulator of `graphjobs local`; None for AWS, or for what the SDK's own variables say."""
    return os.environ.get(ENDPOINT_VARIABLE) or None


@cache
def session() -> boto3.Session:
    """Where our clients come from: a session of our own, since the default one is for the code of graphs.

    So what a project's environment says of AWS reaches its own clients, and never ours.
    """
    if endpoint() is None:
        return boto3.Session()
    return boto3.Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the emulator checks none
        region_name=EMULATOR_REGION,
    )


def _client(service: Service, config: Config) -> Any:
    return session().client(service, config=config, endpoint_url=endpoint())


def dynamodb(config: Config = REQUEST) -> DynamoDBClient:
    """A DynamoDB client."""
    client: DynamoDBClient = _client("dynamodb", config)
    return client


def sqs(config: Config = REQUEST) -> SQSClient:
    """An SQS client."""
    client: SQSClient = _client("sqs", config)
    return client


def s3(config: Config = REQUEST) -> S3Client:
    """An S3 client; path-style addresses when an emulator is used, since it has no wildcard DNS."""
    client: S3Client = _client("s3", config.merge(Config(s3={"addressing_style": "auto"})))
    return client


def events(config: Config = REQUEST) -> Any:
    """An EventBridge client."""
    return _client("events", config)


def cloudformation(config: Config = REQUEST) -> Any:
    """A CloudFormation client."""
    return _client("cloudformation", config)


def lambda_(config: Config = REQUEST) -> Any:
    """A Lambda client."""
    return _client("lambda", config)


def logs(config: Config = REQUEST) -> Any:
    """A client of CloudWatch Logs."""
    return _client("logs", config)


def secrets_manager(config: Config = REQUEST) -> SecretsManagerClient:
    """A Secrets Manager client."""
    client: SecretsManagerClient = _client("secretsmanager", config)
    return client


def with_connections(config: Config, number: int) -> Config:
    """`config` for a client that `number` threads share."""
    return config.merge(Config(max_pool_connections=number))
