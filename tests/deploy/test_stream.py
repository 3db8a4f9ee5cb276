"""The stream function's zip is unpacked with its modes, and refused if Lambda could not start it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from deploy.steps import Failed
from deploy.stream import unpack


def archive(mode: int, name: str = "run.sh") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (0o100000 | mode) << 16
        bundle.writestr(entry, "#!/bin/sh\n")
        bundle.writestr("graphjobs/stream/app.py", "")
    return buffer.getvalue()


def test_the_start_script_keeps_its_mode(tmp_path: Path) -> None:
    unpack(archive(0o755), tmp_path)
    assert os.access(tmp_path / "run.sh", os.X_OK)
    assert (tmp_path / "graphjobs" / "stream" / "app.py").is_file()


def test_a_start_script_that_cannot_be_executed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot be executed"):
        unpack(archive(0o644), tmp_path)


def test_a_zip_without_a_start_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"run\.sh"):
        unpack(archive(0o755, "start.sh"), tmp_path)
