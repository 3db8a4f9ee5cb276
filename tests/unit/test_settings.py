"""Settings: every variable is read, bounded and named when it is wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from graphjobs.core.settings import PREFIX, Settings, SettingsError

SPECS = {spec.name: spec for spec in fields(Settings)}
NUMBERS = [name for name, spec in SPECS.items() if "low" in spec.metadata]
CHOICES = [name for name, spec in SPECS.items() if "values" in spec.metadata]
TEXTS = [name for name, spec in SPECS.items() if str(spec.type) == "str" and name not in (*CHOICES, "webhook_hosts")]
# What must hold between two settings would hide what is said of one.
ROOM = {
    "lease_seconds": "600",
    "max_timeout_seconds": "604800",
    "heartbeat_seconds": "0.1",
    "default_timeout_seconds": "1",
    "admin_claim": "scope",
    "admin_value": "admin",
}


def read(name: str, text: str) -> Any:
    """The value of a setting whose variable is `text`, with room around it."""
    room = {PREFIX + other.upper(): value for other, value in ROOM.items()}
    return getattr(Settings.from_env(room | {PREFIX + name.upper(): text}), name)


def test_without_any_variable_there_are_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_variables_of_others_are_not_read() -> None:
    assert Settings.from_env({"LEASE_SECONDS": "1", "graphjobs_lease_seconds": "1", "HOME": "/"}) == Settings()


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_read_without_the_blanks_around_it(name: str) -> None:
    assert read(name, " some-text \n") == "some-text"


@pytest.mark.parametrize("name", CHOICES)
def test_one_of_several_words_is_read_and_any_other_is_refused_by_name(name: str) -> None:
    values = SPECS[name].metadata["values"]
    assert SPECS[name].default in values
    assert [read(name, f" {value} ") for value in values] == list(values)
    with pytest.raises(SettingsError, match=PREFIX + name.upper()):
        read(name, "other")


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if str(spec.type).startswith("tuple")])
def test_a_list_is_read_from_commas(name: str) -> None:
    assert read(name, " a, b ,,c,") == ("a", "b", "c")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_read_within_its_bounds(name: str) -> None:
    spec = SPECS[name]
    low, high = spec.metadata["low"], spec.metadata["high"]
    assert low <= spec.default <= high
    values = [low, high]
    if name in ("heartbeat_seconds", "default_timeout_seconds"):
        values = [low, (low + high) // 2]
    for value in values:
        got = read(name, str(value))
        assert got == value
        assert isinstance(got, int if str(spec.type) == "int" else float)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_its_bounds_is_refused_by_name(name: str) -> None:
    spec = SPECS[name]
    for value in (spec.metadata["low"] - 1, spec.metadata["high"] + 1, "nan", "inf", "-inf", "x", "1,5", "0x10", "1 2"):
        with pytest.raises(SettingsError, match=PREFIX + name.upper()):
            read(name, str(value))


def test_a_whole_number_is_no_fraction() -> None:
    with pytest.raises(SettingsError, match="GRAPHJOBS_MAX_ATTEMPTS"):
        read("max_attempts", "2.5")
    assert read("lease_seconds", "2.5") == 2.5


@pytest.mark.parametrize("text", [None, "", "   "])
def test_a_required_variable_that_is_missing_is_named(text: str | None) -> None:
    environ = {"GRAPHJOBS_QUEUE_URL": "q"} | ({} if text is None else {"GRAPHJOBS_JOBS_TABLE": text})
    with pytest.raises(SettingsError, match="GRAPHJOBS_JOBS_TABLE is not set"):
        Settings.from_env(environ, required=("queue_url", "jobs_table"))
    assert Settings.from_env(environ, required=("queue_url",)).queue_url == "q"


def test_a_heartbeat_that_would_lose_the_lease_is_refused() -> None:
    assert Settings.from_env({"GRAPHJOBS_LEASE_SECONDS": "4", "GRAPHJOBS_HEARTBEAT_SECONDS": "2"}).lease_seconds == 4
    with pytest.raises(SettingsError, match=r"HEARTBEAT_SECONDS.*LEASE_SECONDS"):
        Settings.from_env({"GRAPHJOBS_LEASE_SECONDS": "4", "GRAPHJOBS_HEARTBEAT_SECONDS": "2.1"})


def test_a_default_timeout_above_the_limit_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"DEFAULT_TIMEOUT_SECONDS.*MAX_TIMEOUT_SECONDS"):
        Settings.from_env({"GRAPHJOBS_MAX_TIMEOUT_SECONDS": "60"})
    with pytest.raises(SettingsError):
        Settings(default_timeout_seconds=61, max_timeout_seconds=60)


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Settings().model = "other"


@pytest.mark.parametrize("value", ["", "public", "any"])
def test_the_hosts_of_webhooks_are_one_of_three(value: str) -> None:
    assert Settings.from_env({"GRAPHJOBS_WEBHOOK_HOSTS": value}).webhook_hosts == value
    with pytest.raises(SettingsError, match="GRAPHJOBS_WEBHOOK_HOSTS"):
        Settings.from_env({"GRAPHJOBS_WEBHOOK_HOSTS": "private"})


def test_an_administrator_is_named_by_a_claim_and_one_value_of_it() -> None:
    claim, value = "GRAPHJOBS_ADMIN_CLAIM", "GRAPHJOBS_ADMIN_VALUE"
    for alone in (claim, value):
        with pytest.raises(SettingsError, match=r"ADMIN_CLAIM.*ADMIN_VALUE"):
            Settings.from_env({alone: "scope"})
    for several in ("a b", "[a]", "a]"):
        with pytest.raises(SettingsError, match=value):
            Settings.from_env({claim: "scope", value: several})
