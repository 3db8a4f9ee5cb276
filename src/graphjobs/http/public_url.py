"""Addresses that others give us to call: of what form they are, and that they are of the public internet."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

MAX_URL: Final = 2_048
TRANSLATED: Final = tuple(ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"))
"""IPv6 addresses that stand for an IPv4 address, which may be a private one."""


class UrlRefused(ValueError):
    """The address of a webhook is one that we do not call; the message is one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook goes: parsed and of an allowed form."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str, *, private: bool = False) -> Target:
    """The target that `url` names; `private` allows http and addresses of one's own network, for local use.

    Raises:
        UrlRefused: it is no https URL of a host, holds a user or a password, or names a private address.
    """
    if len(url) > MAX_URL or not url.isascii() or any(character <= " " for character in url):
        raise UrlRefused(f"a webhook is a URL of at most {MAX_URL} visible ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefused("a webhook is an https URL") from error
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise UrlRefused("a webhook is an https URL")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise UrlRefused("a webhook is a URL with a host, and without user and password")
    if not private and _is_literal(parts.hostname) and not is_public(parts.hostname):
        raise UrlRefused("a webhook must not name a private address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    if any(ip in network for network in TRANSLATED if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
