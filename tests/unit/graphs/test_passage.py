from __future__ import annotations

from pathlib import Path

import pytest
from starter import passage as module
from starter.passage import language_of, passage, passages


def test_every_topic_is_told_in_both_languages() -> None:
    topics = {language: {each.id.split("/")[1] for each in passages() if each.language == language}
              for language in ("ko", "en")}  # fmt: skip
    assert topics["ko"] == topics["en"]
    assert len(topics["ko"]) >= 12


def test_a_passage_is_in_the_language_that_it_says() -> None:
    for each in passages():
        assert language_of(each.title) == language_of(each.text) == each.language


def test_a_passage_is_found_by_its_id() -> None:
    assert passage("en/refund").title == "Refund policy"


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(LookupError, match="'en/astronomy'"):
        passage("en/astronomy")


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "refund.md"
    broken.write_text("Refunds are nice.\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"ko/refund\.md"):
        module._read(broken, "ko")
