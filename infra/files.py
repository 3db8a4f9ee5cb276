"""Folders of thousands of files, gone through as the system lists them: with `pathlib` it is several times as slow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below `folder`, in no order, a folder before what is in it; links to folders are not followed."""
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for entry in found:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below `folder`, in no order."""
    return (entry for entry in entries(folder) if entry.is_file())


def link_files(source: Path, target: Path) -> None:
    """Put links to the files below `source` at the same places below `target`, a folder that is there."""
    for entry in entries(source):
        place = f"{target}{entry.path[len(str(source)) :]}"
        if entry.is_dir(follow_symlinks=False):
            Path(place).mkdir()
        else:
            link(entry.path, place)


def link(source: str, target: str) -> None:
    """A second name of a file, or a copy where the two are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
