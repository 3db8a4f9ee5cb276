"""Which addresses a webhook may name, and that a name leads to no other."""

from __future__ import annotations

import pytest

from graphjobs.http.public_url import UrlRefused, is_public, target_of

PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
PRIVATE = (
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_ones_own_network_or_of_none_is_not(address: str) -> None:
    assert not is_public(address)


def test_a_url_is_taken_apart() -> None:
    target = target_of("https://hooks.example.com:8443/a/b?c=d#part")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "hooks.example.com", 8443, "/a/b?c=d")
    assert target_of("https://example.com").port == 443
    assert target_of("https://example.com").path == "/"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "example.com",
        "https://",
        "https:///path",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "https://example.com:port/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://\u00e9xample.com/",
        "https://[::1]/",
        "https://[::1",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://example.com/" + "a" * 2_048,
        "",
    ],
)
def test_a_url_that_we_do_not_call_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(UrlRefused) as refusal:
        target_of(url)
    assert "\n" not in str(refusal.value)


def test_on_ones_own_machine_any_host_may_be_called() -> None:
    assert target_of("http://127.0.0.1:8080/hook", private=True).port == 8080
