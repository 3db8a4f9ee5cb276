"""The command line in a process of its own: what it imports, odd characters, a reader that has gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphjobs.local.issuer import ensure_key
from tests.unit.client.conftest import TOKENS
from tests.unit.client.log import JOB_ID, chat_log, wire
from tests.unit.client.service import Service, stream_answer

LOG = chat_log(TOKENS)
STREAM = f"/stream/{JOB_ID}"

pytestmark = pytest.mark.usefixtures("configured")


def imported(argv: list[str], environ: dict[str, str]) -> set[str]:
    """The names of the packages that a command imports, in an interpreter of its own."""
    script = (
        "import sys; from graphjobs.cli.main import main; code = main(sys.argv[1:])\n"
        "print(code, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *argv], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
    )
    code, *names = ran.stderr.splitlines()[-1].split()
    assert code == "0", ran.stderr
    return set(names)


def test_a_command_imports_what_it_needs_and_no_more() -> None:
    assert not imported(["--help"], {}) & {"httpx", "click", "rich", "jwt", "starlette", "asyncio"}
    assert "httpx" in (names := imported(["list"], {})) and not names & {"click", "rich", "jwt", "starlette", "boto3"}


def test_a_token_needs_no_web_framework(tmp_path: Path) -> None:
    ensure_key(tmp_path)
    (tmp_path / "local.json").write_text(json.dumps({"issuer": "http://127.0.0.1:1/oidc"}))
    names = imported(["token"], {"GRAPHJOBS_STATE_DIR": str(tmp_path)})
    assert "jwt" in names and not names & {"httpx", "starlette", "boto3", "click"}


def command(*argv: str, **environ: str) -> subprocess.Popen[bytes]:
    """The command line in a process of its own."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", "graphjobs.cli.main", *argv],
        env={**os.environ, "PYTHONPATH": str(root), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_korean_and_half_a_surrogate_pair_in_the_c_locale(service: Service) -> None:
    service.script(STREAM, stream_answer(wire(LOG[1:]).replace("환불은".encode(), rb"\ud800")))
    argv = ["stream", JOB_ID, "--after", "1"]
    with command(*argv, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="") as shown:
        out, err = shown.communicate(timeout=30)
    assert (shown.returncode, err) == (0, b"")
    assert out.decode() == "\\ud800 14일 이내에 가능합니다.\n[completed]\n"


def test_a_reader_that_has_gone_is_no_traceback(service: Service) -> None:
    with command("stream", JOB_ID, "--json") as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.wait(timeout=30) == 141
        assert shown.stderr.read() == b""
