"""Which service the command line talks to: options, then the environment, then the local instance."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from graphjobs.cli.main import main
from graphjobs.cli.target import NOT_CONFIGURED, UNIDENTIFIED, USER_IS_LOCAL, Options, Target, resolve
from graphjobs.client.errors import ConfigurationError
from graphjobs.local.issuer import ensure_key
from graphjobs.local.state import STATE_FILE
from tests.unit.client.log import JOB_ID
from tests.unit.client.service import Service

Capture = pytest.CaptureFixture[str]
LOCAL = {"api_url": "http://127.0.0.1:8000", "stream_url": "http://127.0.0.1:8001"}


@pytest.fixture
def local_state(tmp_path: Path) -> dict[str, str]:
    """The environment of a folder with a local instance."""
    (tmp_path / "local.json").write_text(json.dumps(LOCAL))
    return {"GRAPHJOBS_STATE_DIR": str(tmp_path)}


@pytest.fixture
def minted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str, int]]:
    """What the local issuer was asked for; it gives ``good``."""
    calls: list[tuple[Path, str, int]] = []

    def mint_token(state_dir: Path, user: str, seconds: int, claims: dict[str, Any]) -> str:
        calls.append((state_dir, user, seconds))
        if not state_dir.exists():
            raise FileNotFoundError(state_dir)
        return "good"

    monkeypatch.setitem(sys.modules, "graphjobs.local.issuer", SimpleNamespace(mint_token=mint_token))
    return calls


def minted_by(target: Target) -> str:
    assert callable(target.token)
    return target.token()


def test_the_environment_names_a_deployed_service(tmp_path: Path) -> None:
    environ = {
        "GRAPHJOBS_API_URL": "https://api",
        "GRAPHJOBS_STREAM_URL": "https://stream",
        "GRAPHJOBS_TOKEN": " t\n",
        "GRAPHJOBS_STATE_DIR": str(tmp_path),
    }
    assert resolve(Options(), environ) == Target("https://api", "https://stream", "t")


def test_options_come_before_the_environment_and_that_before_the_local_instance(
    local_state: dict[str, str],
) -> None:
    environ = {**local_state, "GRAPHJOBS_API_URL": "https://env", "GRAPHJOBS_TOKEN": "env"}
    assert resolve(Options(), environ) == Target("https://env", None, "env")
    assert resolve(Options("https://a", "https://s", "t"), environ) == Target("https://a", "https://s", "t")


@pytest.mark.parametrize(("options", "user"), [(Options(), "user-123"), (Options(user="kim"), "kim")])
def test_the_local_instance_has_addresses_and_mints_tokens(
    local_state: dict[str, str], minted: list[tuple[Path, str, int]], options: Options, user: str
) -> None:
    target = resolve(options, local_state)
    assert (target.api_url, target.stream_url) == (LOCAL["api_url"], LOCAL["stream_url"])
    assert minted == []
    assert minted_by(target) == "good"
    assert minted == [(Path(local_state["GRAPHJOBS_STATE_DIR"]), user, 3600)]


def test_the_local_address_given_by_hand_is_still_the_local_instance(
    local_state: dict[str, str], minted: list[tuple[Path, str, int]]
) -> None:
    target = resolve(Options(api_url=LOCAL["api_url"] + "/"), local_state)
    assert target.stream_url == LOCAL["stream_url"]
    assert minted_by(target) == "good"


def test_a_user_given_by_hand_comes_before_the_environments_token(
    local_state: dict[str, str], minted: list[tuple[Path, str, int]]
) -> None:
    environ = {**local_state, "GRAPHJOBS_TOKEN": "env"}
    assert resolve(Options(), environ).token == "env"
    assert minted_by(resolve(Options(user="kim"), environ)) == "good"


@pytest.mark.parametrize(
    ("options", "environ", "text"),
    [
        (Options(), {}, NOT_CONFIGURED.format(program="graphjobs")),
        (Options(token="t"), {}, NOT_CONFIGURED.format(program="graphjobs")),
        (Options(api_url="https://a"), {}, UNIDENTIFIED),
        (Options(user="kim"), {"GRAPHJOBS_API_URL": "https://a", "GRAPHJOBS_TOKEN": "t"}, USER_IS_LOCAL),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, options: Options, environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError) as missing:
        resolve(options, {**environ, "GRAPHJOBS_STATE_DIR": str(tmp_path)})
    assert str(missing.value) == text


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_state_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "local.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"local\.json cannot be read"):
        resolve(Options(), {"GRAPHJOBS_STATE_DIR": str(tmp_path)})


def test_a_token_is_not_in_what_is_printed_of_a_target() -> None:
    assert "geheim" not in repr(Target("https://a", None, "geheim"))
    assert "geheim" not in repr(Options(token="geheim"))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No service is named anywhere; gives the folder of the local state, which does not exist."""
    for name in ("GRAPHJOBS_API_URL", "GRAPHJOBS_STREAM_URL", "GRAPHJOBS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path / "state"
    monkeypatch.setenv("GRAPHJOBS_STATE_DIR", str(state))
    return state


def test_nothing_configured_is_one_line_and_exit_code_2(bare_environment: Path, capsys: Capture) -> None:
    assert main(["status", JOB_ID]) == 2
    assert capsys.readouterr() == ("", f"graphjobs: {NOT_CONFIGURED.format(program='graphjobs')}\n")


def test_a_command_finds_the_local_instance(
    bare_environment: Path, minted: list[tuple[Path, str, int]], service: Service, capsys: Capture
) -> None:
    bare_environment.mkdir()
    (bare_environment / "local.json").write_text(json.dumps({"api_url": service.url, "stream_url": service.url}))
    assert main(["submit", "a", "--stream", "--user", "kim"]) == 0
    assert capsys.readouterr().out.endswith("[completed]\n")
    assert [call[1] for call in minted] == ["kim"]


def test_token_prints_a_token_and_nothing_else(
    bare_environment: Path, minted: list[tuple[Path, str, int]], capsys: Capture
) -> None:
    bare_environment.mkdir()
    assert main(["token", "--user", "kim", "--seconds", "60"]) == 0
    assert capsys.readouterr() == ("good\n", "")
    assert minted == [(bare_environment, "kim", 60)]


def test_a_token_has_the_claims_that_were_asked_for(bare_environment: Path, capsys: Capture) -> None:
    bare_environment.mkdir()
    ensure_key(bare_environment)
    (bare_environment / STATE_FILE).write_text(json.dumps({"issuer": "http://127.0.0.1:1"}))
    given = ["--claim", "scope=openid graphjobs/admin", "--claim", 'cognito:groups=["staff","x admins"]']
    assert main(["token", "--user", "kim", *given]) == 0
    claims = jwt.decode(capsys.readouterr().out.strip(), options={"verify_signature": False})
    assert (claims["sub"], claims["scope"]) == ("kim", "openid graphjobs/admin")
    assert claims["cognito:groups"] == ["staff", "x admins"]


@pytest.mark.parametrize("text", ["scope", "=x"])
def test_a_claim_needs_a_name_and_a_value(text: str, capsys: Capture) -> None:
    assert main(["token", "--claim", text]) == 2
    assert "not of the form NAME=VALUE" in capsys.readouterr().err


def test_token_without_a_local_instance(
    bare_environment: Path, minted: list[tuple[Path, str, int]], capsys: Capture
) -> None:
    assert main(["token"]) == 2
    assert "No local instance has run in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "argv"), [("graphjobs.local.issuer", ["token"]), ("graphjobs.local.command", ["local"])]
)
def test_without_the_local_package_one_line_says_how_to_install_it(
    bare_environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str, argv: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert "run `make install`" in err
    assert err.count("\n") == 1


def test_local_has_a_grammar_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def add_arguments(parser: ArgumentParser) -> None:
        parser.add_argument("--api-port", type=int)

    def run(args: Namespace) -> int:
        return int(args.api_port)

    module = SimpleNamespace(add_arguments=add_arguments, run=run)
    monkeypatch.setitem(sys.modules, "graphjobs.local.command", module)
    assert main(["local", "--api-port", "7"]) == 7
    assert main(["local", "--nonsense"]) == 2
