"""Every wrong value is refused with a message that names its key."""

from __future__ import annotations

import pytest

from infra.config import Config, ConfigError

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf"

WRONG = [
    ({"stage": "Prod"}, "stage"),
    ({"stage": 7}, "stage"),
    ({"region": "nowhere"}, "region"),
    ({"issuer": "issuer.example.com", "audience": "a"}, "issuer"),
    ({"admin_claim": "scope"}, "admin_value"),
    ({"admin_value": "graphjobs/admin"}, "admin_claim"),
    ({"admin_claim": "scope", "admin_value": "a b"}, "admin_value"),
    ({"admin_claim": "scope", "admin_value": "[a]"}, "admin_value"),
    ({"admin_claim": "the scope", "admin_value": "a"}, "admin_claim"),
    ({"issuer": "https://issuer.example.com"}, "audience"),
    ({"audience": "a"}, "issuer"),
    ({"issuer": "http://i.example.com", "audience": "a"}, "issuer"),
    ({"cors_origins": "app.example.com"}, "cors_origins"),
    ({"cors_origins": {"a": 1}}, "cors_origins"),
    ({"graphs": "graphs/"}, "graphs"),
    ({"model": "gpt"}, "model"),
    ({"bedrock_resources": "arn:aws:bedrock:x"}, "bedrock_resources"),
    ({"worker_environment": "A=b"}, "worker_environment"),
    ({"worker_environment": {"A": 1}}, "worker_environment"),
    ({"worker_environment": {"GRAPHJOBS_MODEL": "x"}}, "worker_environment"),
    ({"worker_environment": {"1": "x"}}, "worker_environment"),
    ({"worker_environment": {"A": "x" * 3_000}}, "worker_environment"),
    ({"worker_secrets": {"KEY": "my-secret"}}, "worker_secrets"),
    ({"worker_secrets": {"KEY": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys"}}, "worker_secrets"),
    ({"worker_secrets": {"AWS_KEY": SECRET}}, "worker_secrets"),
    ({"worker_secrets": {"KEY": SECRET}, "worker_environment": {"KEY": "x"}}, "worker_secrets"),
    ({"xray": "on"}, "xray"),
    ({"kms_key_arn": "alias/mine"}, "kms_key_arn"),
    ({"log_graph_errors": "none"}, "log_graph_errors"),
    ({"worker_policies": "AdministratorAccess"}, "worker_policies"),
    ({"default_timeout_seconds": 0}, "default_timeout_seconds"),
    ({"default_timeout_seconds": 100, "max_timeout_seconds": 50}, "default_timeout_seconds"),
    ({"max_timeout_seconds": "a day"}, "max_timeout_seconds"),
    ({"retention_days": 0}, "retention_days"),
    ({"retention_days": 8, "thread_retention_days": 7}, "thread_retention_days"),
    ({"retention_days": 31}, "thread_retention_days"),
    ({"max_attempts": True}, "max_attempts"),
    ({"max_handoffs": -1}, "max_handoffs"),
    ({"lease_seconds": 5}, "lease_seconds"),
    ({"heartbeat_seconds": 30}, "heartbeat_seconds"),
    ({"flush_interval_ms": 1.5}, "flush_interval_ms"),
    ({"reconcile_minutes": 0}, "reconcile_minutes"),
    ({"runtime": "python3.9"}, "runtime"),
    ({"runtime": "python3.11", "snap_start": True}, "runtime"),
    ({"snap_start": True, "adapter_layer_version": 28}, "adapter_layer_version"),
    ({"architecture": "arm"}, "architecture"),
    ({"api_memory_mb": 64}, "api_memory_mb"),
    ({"stream_memory_mb": 10_241}, "stream_memory_mb"),
    ({"stream_memory_mb": 128}, "stream_memory_mb"),
    ({"worker_memory_mb": "1 GB"}, "worker_memory_mb"),
    ({"worker_memory_mb": 128}, "worker_memory_mb"),
    ({"api_timeout_seconds": 30}, "api_timeout_seconds"),
    ({"worker_timeout_seconds": 901}, "worker_timeout_seconds"),
    ({"worker_timeout_seconds": 80}, "worker_timeout_seconds"),
    ({"stream_window_seconds": 900}, "stream_window_seconds"),
    ({"snap_start": "yes"}, "snap_start"),
    ({"adapter_layer_version": "latest"}, "adapter_layer_version"),
    ({"adapter_layer_arn": "LambdaAdapterLayerArm64:26"}, "adapter_layer_arn"),
    ({"stream_url": "stream.example.com"}, "stream_url"),
    ({"account_concurrency": 9}, "account_concurrency"),
    ({"worker_max_concurrency": 1}, "worker_max_concurrency"),
    ({"worker_max_concurrency": 10}, "worker_max_concurrency"),
    ({"stream_reserved_concurrency": 1}, "stream_reserved_concurrency"),
    (
        {"account_concurrency": 1000, "worker_max_concurrency": 500, "stream_reserved_concurrency": 500},
        "stream_reserved_concurrency",
    ),
    ({"account_concurrency": 200, "api_reserved_concurrency": 21}, "api_reserved_concurrency"),
    ({"throttle_rate": 0}, "throttle_rate"),
    ({"throttle_burst": "many"}, "throttle_burst"),
    ({"log_retention_days": 8}, "log_retention_days"),
    ({"alarm_email": "ops"}, "alarm_email"),
    ({"bundle": "docker"}, "bundle"),
    ({"credentials": "root"}, "credentials"),
    ({"worker_memory": 512}, "worker_memory"),
]


@pytest.mark.parametrize(("context", "key"), WRONG)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(context: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Config.from_context(context)
    assert str(refusal.value).startswith(f"{key}: ")
    assert "\n" not in str(refusal.value)


def test_a_layer_of_ones_own_is_taken_at_its_word_for_snap_start() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:Adapter:1"
    assert Config.from_context({"snap_start": True, "adapter_layer_version": 1, "adapter_layer_arn": arn}).snap_start


def test_an_unknown_key_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="Did you mean worker_memory_mb"):
        Config.from_context({"worker_memory": 512})


def test_the_command_line_and_a_file_give_the_same() -> None:
    from_file = {"snap_start": True, "retention_days": 3, "cors_origins": ["https://a.example", "https://b.example"]}
    from_shell = {"snap_start": "true", "retention_days": "3", "cors_origins": "https://a.example,https://b.example"}
    assert Config.from_context(from_file) == Config.from_context(from_shell)


def test_keys_of_cdk_itself_are_passed_over() -> None:
    assert Config.from_context({"@aws-cdk/core:x": True, "aws-cdk:enable": 1, "stage": ""}) == Config()


def test_what_the_command_line_writes_into_the_context_is_passed_over() -> None:
    """`cdk acknowledge 1` and `cdk cli-telemetry --disable` do."""
    context = {"acknowledged-issue-numbers": [1], "cli-telemetry": False}
    assert Config.from_context(context) == Config()


def test_a_key_of_the_persons_own_is_passed_over_unless_it_is_one_of_ours() -> None:
    context = {"another-app": 1, "stage": "two"}
    assert Config.from_context(context, foreign=["another-app", "stage"]) == Config(stage="two")
    with pytest.raises(ConfigError, match="another-app"):
        Config.from_context(context)


@pytest.mark.parametrize(
    ("context", "reserved"),
    [
        ({"account_concurrency": 10}, 0),
        ({"account_concurrency": 199}, 0),
        ({"account_concurrency": 200}, 50),
        ({"account_concurrency": 1000}, 250),
        ({"account_concurrency": 1000, "stream_reserved_concurrency": 0}, 0),
        ({"account_concurrency": 1000, "stream_reserved_concurrency": 400}, 400),
        ({"account_concurrency": 1000, "worker_max_concurrency": 900}, 0),
        ({"account_concurrency": 200, "api_reserved_concurrency": 10}, 0),
    ],
)
def test_viewers_are_bounded_by_default_where_the_quota_allows(context: dict[str, int], reserved: int) -> None:
    assert Config.from_context(context).reserved_for_viewers == reserved


def test_a_secret_may_be_a_member_of_a_json_text() -> None:
    context = {"worker_secrets": {"A": SECRET, "B": f"{SECRET}:b", "C": f"{SECRET}:c::"}}
    assert Config.from_context(context).worker_secrets == (("A", SECRET), ("B", f"{SECRET}:b"), ("C", f"{SECRET}:c"))


@pytest.mark.parametrize(("quota", "workers"), [(10, 5), (50, 25), (1_000, 500), (9_000, 1_000)])
def test_workers_take_half_of_the_account_unless_told_otherwise(quota: int, workers: int) -> None:
    assert Config(account_concurrency=quota).workers == workers


def test_a_reservation_that_leaves_enough_is_accepted() -> None:
    context = {"account_concurrency": 1000, "worker_max_concurrency": 300, "stream_reserved_concurrency": 600}
    assert Config.from_context(context).stream_reserved_concurrency == 600
