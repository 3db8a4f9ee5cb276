"""What somebody gets who installs the wheel into an empty environment: one package, typed, with httpx alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USE = """\
from typing import assert_type

import graphjobs
from graphjobs import AsyncClient, Client, Event, JobStatus


def use(client: Client) -> int:
    job = client.submit("question", graph="chat", metadata={"a": 1}, thread_id=None)
    assert_type(client.status(job["job_id"]), JobStatus)
    for event in client.stream(job["job_id"], after=1):
        assert_type(event, Event)
        assert_type(event["seq"], int)
    return client.status(job["job_id"])["attempt"]


async def use_async(client: AsyncClient) -> str:
    async for event in client.stream("job"):
        assert_type(event, Event)
    return (await client.list())["jobs"][0]["job_id"]


with graphjobs.Client("http://127.0.0.1:8000", "token", stream_url="http://127.0.0.1:8001") as client:
    assert_type(client, Client)
"""
MISUSE = """\
from graphjobs import Client

Client("http://127.0.0.1:8000", "token").submit("question", grapf="chat")
Client("http://127.0.0.1:8000", "token").status("job")["statsu"]
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing in it but the wheel and what the wheel asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    for name in closure("httpx"):
        for entry in top_level(name):
            target = site / entry.name
            if not target.exists():
                target.symlink_to(entry)
    (info,) = site.glob("graphjobs-*.dist-info")
    asked = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", (info / "METADATA").read_text(), re.MULTILINE)
    assert asked == ["httpx"]
    return folder / "venv" / "bin" / "python"


def closure(name: str, seen: set[str] | None = None) -> Iterator[str]:
    """`name` and what it needs on this machine, its extras not counted."""
    seen = set() if seen is None else seen
    try:
        needs = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return  # for another platform
    if name in seen:
        return
    seen.add(name)
    yield name
    for need in needs:
        if "extra ==" not in need:
            yield from closure(re.split(r"[^\w.-]", need, maxsplit=1)[0], seen)


def top_level(name: str) -> set[Path]:
    """The files and folders in site-packages that a distribution consists of."""
    distribution = metadata.distribution(name)
    parts = {path.parts[0] for path in distribution.files or [] if path.parts[0] not in ("..", "__pycache__")}
    return {Path(str(distribution.locate_file(part))) for part in parts}


def run(python: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, cwd=python.parent, timeout=60)


def test_the_client_works_with_httpx_alone(python: Path) -> None:
    ran = run(
        python, "import graphjobs; c = graphjobs.Client('http://127.0.0.1:1', 't'); c.close(); graphjobs.AsyncClient"
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("module", ["client", "local", "infra", "functions", "graphs", "deploy", "examples", "tests"])
def test_nothing_else_is_importable(python: Path, module: str) -> None:
    ran = run(python, f"import {module}")
    assert f"No module named '{module}'" in ran.stderr


def test_the_command_line_says_what_it_can_do(python: Path) -> None:
    ran = run(python, "import sys; from graphjobs.cli.main import main; sys.exit(main(['--help']))")
    assert ran.returncode == 0 and "submit" in ran.stdout


def checked(python: Path, folder: Path, text: str) -> str:
    """What mypy says of a program that is written against the wheel."""
    (folder / "program.py").write_text(text)
    command = [shutil.which("mypy", path=str(Path(sys.executable).parent)) or "mypy", "--strict", "--config-file="]
    command += ["--python-executable", str(python), "--cache-dir", str(folder / "cache"), "program.py"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=110)
    return ran.stdout + ran.stderr


def test_a_type_checker_sees_the_types(python: Path, tmp_path: Path) -> None:
    assert "Success: no issues found in 1 source file" in checked(python, tmp_path, USE)
    found = checked(python, tmp_path, MISUSE)
    assert 'Unexpected keyword argument "grapf"' in found
    assert 'has no key "statsu"' in found
    assert "Found 2 errors" in found
