"""Who is an administrator, by the claims of the token itself and by what the HTTP API's authorizer makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphjobs.auth.administrators import NOBODY, Administrators
from graphjobs.local.gateway import as_claim
from tests.support.issuer import segment

GROUP = Administrators("cognito:groups", "admins")

HOLDING: list[Any] = ["admins", "openid admins", "admins openid", ["admins"], ["staff", "admins"], ["admins", 1]]
NOT_HOLDING: list[Any] = [
    *("", "admin", "adminsx", "xadmins", "ADMINS", "staff,admins", "admins\t", "admins\nstaff", "admins,", "аdmins"),
    *([], ["admin"], ["Admins"], ["staff admins"], ["admins staff"], ["a admins b"], ["admins "], [["admins"]]),
    *(None, True, 1, {"admins": True}, [None]),
]


def told(claim: Any, *, token: Any = "same") -> bool:
    """What is said of a caller behind the gateway; `token` is its claim in the token, if that is another."""
    own = {"cognito:groups": claim if token == "same" else token}
    header = f"Bearer {segment({'alg': 'RS256'})}.{segment(own)}.c2ln"
    return GROUP.include_behind_gateway({"cognito:groups": as_claim(claim)}, header)


@pytest.mark.parametrize("claim", HOLDING, ids=json.dumps)
def test_a_value_is_held_by_a_text_and_by_a_list(claim: Any) -> None:
    assert GROUP.include({"cognito:groups": claim}) and told(claim)


@pytest.mark.parametrize("claim", NOT_HOLDING, ids=json.dumps)
def test_a_value_counts_only_as_a_whole(claim: Any) -> None:
    assert not GROUP.include({"cognito:groups": claim}) and not told(claim)


@pytest.mark.parametrize("claims", [{}, {"scope": "admins"}, {"groups": ["admins"]}, {"": "admins"}])
def test_no_other_claim_counts(claims: dict[str, Any]) -> None:
    assert not GROUP.include(claims) and not GROUP.include_behind_gateway(claims, "")


@pytest.mark.parametrize("claim", ["", "admins", [""], ["admins"], None])
def test_nobody_is_one_where_none_are_named(claim: Any) -> None:
    for none in (NOBODY, Administrators("", "admins"), Administrators("cognito:groups", "")):
        assert not none.include({"cognito:groups": claim, "": claim})
        assert not none.include_behind_gateway({"cognito:groups": as_claim(claim), "": as_claim(claim)}, "")


@given(st.lists(st.text(alphabet="admins []", max_size=12), max_size=4))
def test_a_list_behind_the_gateway_is_what_it_is_in_the_token(groups: list[str]) -> None:
    assert told(groups) == GROUP.include({"cognito:groups": groups}) == ("admins" in groups)


def test_a_token_gives_no_right_that_the_authorizer_does_not_tell_of() -> None:
    assert not told(["staff"], token=["admins"])
    assert not told("staff", token="admins")


NO_OBJECTS = [f"a.{segment(payload)}.c" for payload in ([1], b"[" * 100_000, b"\xff", b"")]
UNREADABLE = ["", "Bearer", "Bearer x", "Bearer a.b", "a.!.c", "a.b.c.d", *NO_OBJECTS]


@pytest.mark.parametrize("header", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_list_that_no_token_confirms_is_none(header: str) -> None:
    assert not GROUP.include_behind_gateway({"cognito:groups": "[admins]"}, header)


def test_a_token_may_come_without_its_scheme_as_the_http_api_takes_it() -> None:
    token = f"{segment({})}.{segment({'cognito:groups': ['admins']})}.c2ln"
    assert GROUP.include_behind_gateway({"cognito:groups": "[admins]"}, token)
