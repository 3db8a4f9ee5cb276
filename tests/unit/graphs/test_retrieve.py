from __future__ import annotations

import unicodedata

import pytest
from starter.passage import passages
from starter.retrieve import Index, retrieve
from starter.terms import words


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("환불 정책 알려줘", "ko/refund"),
        ("환불은 언제 되나요?", "ko/refund"),
        ("환불정책을 알고 싶어요", "ko/refund"),
        ("돈을 돌려받고 싶어요", "ko/refund"),
        ("교환하고 싶은데 배송비는 얼마인가요", "ko/exchange"),
        ("무료배송은 얼마부터인가요", "ko/shipping"),
        ("해외 배송 되나요", "ko/international"),
        ("회원탈퇴 방법", "ko/account-deletion"),
        ("개인정보를 지우고 싶습니다", "ko/privacy"),
        ("고객센터 영업시간", "ko/support"),
        ("고장난 제품 수리", "ko/warranty"),
        ("적립금은 언제 사라지나요", "ko/membership"),
        ("신발 환불", "ko/refund"),
        ("what is your refund policy?", "en/refund"),
        ("Can I get my MONEY BACK?", "en/refund"),
        ("how long does delivery take", "en/shipping"),
        ("do you ship abroad", "en/international"),
        ("please delete my account", "en/account-deletion"),
        ("what are your opening hours", "en/support"),
        ("is there a warranty on furniture", "en/warranty"),
        ("can I pay in instalments", "en/payment"),
        ("gift cards", "en/gift"),
    ],
)
def test_a_question_finds_its_policy_first(query: str, best: str) -> None:
    assert retrieve(query)[0].passage.id == best


@pytest.mark.parametrize(
    "query",
    [
        "오늘 날씨 어때?",
        "양자역학을 설명해줘",
        "비트코인 가격 전망",
        "김치찌개 만드는 방법 알려줘",
        "what is the capital of France?",
        "who won the world cup",
        "how many hours are in a day on Mars",
        "write a poem about the sea",
        "policy",
        "알려줘",
        "?!",
        "",
    ],
)
def test_an_unrelated_question_finds_nothing(query: str) -> None:
    assert retrieve(query) == []


def test_matches_are_ranked_and_limited() -> None:
    found = retrieve("환불", limit=2)
    assert len(found) == 2
    assert found[0].score > found[1].score > 0


def test_a_source_tells_what_a_client_shows() -> None:
    source = retrieve("refund")[0].source
    assert source == {"id": "en/refund", "title": "Refund policy", "language": "en", "score": source["score"]}


def test_hangul_typed_as_separate_jamo_is_the_same_question() -> None:
    query = "환불 정책"
    assert retrieve(unicodedata.normalize("NFD", query)) == retrieve(query)


def test_the_order_of_the_collection_does_not_matter() -> None:
    forward, backward = Index(passages()), Index(tuple(reversed(passages())))
    for query in ("환불 배송비", "shipping cost of a refund"):
        ids = [match.passage.id for match in forward.search(query)]
        assert ids == [match.passage.id for match in backward.search(query)]


def test_an_empty_collection_has_nothing() -> None:
    assert Index(()).search("refund") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("환불은", [("환불", "불은")]),
        ("옷 VIP", [("옷",), ("vip",)]),
        ("What are the refunds?", [("refund",)]),
        ("less", [("less",)]),
        ("정책을 알려주세요", []),
    ],
)
def test_words_become_terms(text: str, expected: list[tuple[str, ...]]) -> None:
    assert words(text) == expected
