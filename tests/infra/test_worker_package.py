"""The worker as a container image, and the runtime that a project asks for.

Without Docker this is as far as it goes: the template, the context of the image, and what the Dockerfile does with it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from infra.bundling import ENTRY
from infra.config import Config, ConfigError
from tests.infra.conftest import Synth
from tests.infra.synthesis import build
from tests.infra.template import Template
from tests.support.projects import write_project


def test_an_image_takes_the_place_of_the_zip_for_the_worker_alone(synth: Synth, template: Template) -> None:
    image = synth(worker_package="image")
    worker = image.function("worker")
    assert worker["PackageType"] == "Image"
    assert "ImageUri" in worker["Code"]
    assert "Handler" not in worker
    assert "Runtime" not in worker
    as_zip = template.function("worker")
    for same in ("Architectures", "MemorySize", "Timeout", "LoggingConfig"):
        assert worker[same] == as_zip[same]
    assert image.environment("worker").keys() == template.environment("worker").keys()
    assert image.function("stream")["Handler"] == "run.sh"


def test_the_dockerfile_puts_the_bundle_where_lambda_looks_and_calls_our_entry() -> None:
    from infra.lambda_factory import IMAGE

    lines = [line for line in (IMAGE / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[:2] == ["ARG PYTHON", "FROM public.ecr.aws/lambda/python:${PYTHON}"]
    assert lines[2:] == ["COPY . ${LAMBDA_TASK_ROOT}/", f'CMD ["{ENTRY}.handler"]']
    assert (IMAGE / ".dockerignore").read_text().split() == ["Dockerfile", ".dockerignore"]


@pytest.mark.parametrize(("architecture", "platform"), [("arm64", "linux/arm64"), ("x86_64", "linux/amd64")])
def test_docker_is_told_the_version_and_the_platform(tmp_path: Path, architecture: str, platform: str) -> None:
    context = {
        "bundle": "none",
        "worker_package": "image",
        "runtime": "python3.12",
        "architecture": architecture,
        "account_concurrency": 10,
    }
    app, stack = build(context, outdir=str(tmp_path))
    app.synth()
    assets = json.loads((tmp_path / f"{stack.stack_name}.assets.json").read_text())["dockerImages"]
    (source,) = (asset["source"] for asset in assets.values())
    assert source["dockerBuildArgs"] == {"PYTHON": "3.12"}
    assert source["platform"] == platform


def test_an_image_has_no_snapshots() -> None:
    with pytest.raises(ConfigError, match=r"^worker_package: an image has no SnapStart"):
        Config(worker_package="image", snap_start=True)


@pytest.mark.parametrize(
    ("wanted", "given", "runtime", "said"),
    [
        ("3.12", {}, "python3.12", ""),
        ("3.13", {}, "python3.13", ""),
        (None, {}, "python3.13", ""),
        ("3.11", {}, "python3.13", r"python_version 3\.11 is no runtime here .*: python3\.13 is taken"),
        ("3.12", {"runtime": "python3.13"}, "python3.13", ""),
    ],
)
def test_the_project_chooses_the_runtime_among_ours(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    wanted: str | None,
    given: dict[str, str],
    runtime: str,
    said: str,
) -> None:
    content = {"python_version": wanted} if wanted else {}
    path = write_project(tmp_path / "mine", {"agent.py": ""}, **content)
    context = {"bundle": "none", "graphs": str(path), "account_concurrency": 10, **given}
    app, stack = build(context, outdir=str(tmp_path / "out"))
    template = Template(app.synth().get_stack_by_name(stack.stack_name).template)
    assert template.function("worker")["Runtime"] == runtime
    lines = [line for line in capsys.readouterr().err.splitlines() if "python_version" in line]
    assert bool(lines) == bool(said)
    assert all(re.search(said, line) for line in lines)
