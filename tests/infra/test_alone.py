"""What code finds in an interpreter that was forked is what it would find in one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.alone import Alone, interpreters

SHARED = "from pathlib import Path\nhere = Path(__file__).parent\n"
FILES = {"shared.py": SHARED, "package/__init__.py": "", "package/later.py": "A = 'later'", "data.txt": ""}


def bundle(folder: Path, **files: str) -> Path:
    """With these texts, some in place of `FILES`."""
    for name, text in {**FILES, **{f"{name}.py": text for name, text in files.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def parent(alone: Alone, folder: Path) -> str:
    """Of the interpreter that runs code with a bundle."""
    return alone(folder, "import os; print(os.getppid())", given=["shared", "package"])


def test_bundles_that_have_the_same_share_a_process_and_one_that_differs_has_its_own(tmp_path: Path) -> None:
    first, second = bundle(tmp_path / "first"), bundle(tmp_path / "second", own="A = 'second'")
    third = bundle(tmp_path / "third", shared=SHARED + "here = 'elsewhere'\n")
    with interpreters(tmp_path) as alone:
        assert parent(alone, first) == parent(alone, second) != parent(alone, third)
        said = alone(third, "import shared; print(shared.here)", given=["shared", "package"])
        assert said == "elsewhere\n"


def test_each_bundle_is_seen_and_no_other(tmp_path: Path) -> None:
    first = bundle(tmp_path / "first", own="A = 'first'")
    second = bundle(tmp_path / "second", own="A = 'second'")
    (second / "package/later.py").write_text("A = 'of the second'")
    (second / "data.txt").write_text("data")
    code = (
        "import own, shared\nfrom package import later\nprint(own.A, later.A, (shared.here / 'data.txt').read_text())"
    )
    with interpreters(tmp_path) as alone:
        assert alone(first, code, given=["shared", "package"]) == "first later \n"
        assert alone(second, code, given=["shared", "package"]) == "second of the second data\n"
        (second / "own.py").unlink()
        with pytest.raises(AssertionError, match="No module named 'own'"):
            alone(second, code, given=["shared", "package"])


def test_a_bundle_that_lacks_what_others_have_fails(tmp_path: Path) -> None:
    first, second = bundle(tmp_path / "first"), bundle(tmp_path / "second")
    (second / "shared.py").unlink()
    with interpreters(tmp_path) as alone:
        assert parent(alone, first)
        with pytest.raises(AssertionError, match="No module named 'shared'"):
            parent(alone, second)


def test_no_package_of_this_environment_is_found(tmp_path: Path) -> None:
    with interpreters(tmp_path) as alone:
        with pytest.raises(AssertionError, match="No module named 'pytest'"):
            alone(bundle(tmp_path / "first"), "import pytest")
        assert alone(tmp_path / "first", "import sys; print(*loaded & {'shared', 'package'})") == "\n"
