"""Which addresses may be called, by their spelling and by the numbers that they lead to."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from domain.errors import AddressRefused

LONGEST_URL = 2048
"""Characters: what browsers and servers agree on."""
ALLOWED_BY_NAME = "Whoever runs the service can allow a server by its host:port in outbound.trusted_hosts."
"""What an operator can do where the spelling is right and the policy is in the way."""
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A host name with a dot in it whose last label is no number (WHATWG URL: "ends in a number" makes it an IPv4 address)."""
_STRANGE = re.compile(r"[\x00-\x20\x7f\\]")
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".onion")
_FORBIDDEN_V4 = tuple(
    ip_network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("168.63.129.16/32", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
"""IANA's special-purpose registry for IPv4 and one cloud's metadata service at a public number."""
_GLOBAL_V6 = IPv6Network("2000::/3")
"""The only block that IANA has opened for global unicast: mapped, compatible, NAT64, unique local, link-local lie outside."""
_FORBIDDEN_V6 = tuple(IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
"""Inside it, but Teredo, 6to4 (both carry an IPv4 address), benchmarks or documentation."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that passed by its spelling. `path` is percent-encoded; `trusted`: the operator named this host and port."""

    scheme: str
    host: str
    port: int
    path: bytes
    netloc: bytes
    trusted: bool


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """https to public addresses on `ports`.

    `trusted` are `host:port` pairs of the operator's own, where plain http and private addresses are allowed too: a storage
    server beside this one, a receiver in a test.
    """

    ports: frozenset[int] = frozenset({443})
    trusted: frozenset[str] = frozenset()

    def target(self, url: str) -> Target:
        """Return the parts of the address. Raises AddressRefused, in words that tell nothing of it."""
        parsed = _parsed(url)
        host = parsed.raw_host.decode("ascii").lower()
        port = {"http": 80, "https": 443}.get(parsed.scheme, 0) if parsed.port is None else parsed.port
        trusted = f"{host}:{port}" in self.trusted
        if parsed.scheme != "https" and not (trusted and parsed.scheme == "http"):
            raise AddressRefused(f"Only https addresses are called. {ALLOWED_BY_NAME}")
        if parsed.userinfo:
            raise AddressRefused("An address with a user name or a password in it is not called.")
        if not trusted:
            if port not in self.ports:
                raise AddressRefused(f"The address names a port that is not called. {ALLOWED_BY_NAME}")
            _check_host(host)
        return Target(parsed.scheme, host, port, parsed.raw_path, parsed.netloc, trusted)

    def check_number(self, number: str) -> None:
        """Raise AddressRefused for an IP address that is not public."""
        if not is_public(number):
            raise AddressRefused(f"The address does not lead to a public server. {ALLOWED_BY_NAME}")


def is_public(number: str) -> bool:
    """Say whether a connection to this IP address leaves for the public internet."""
    try:
        address = ip_address(number)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _FORBIDDEN_V4)
    assert isinstance(address, IPv6Address)
    return address.scope_id is None and address in _GLOBAL_V6 and not any(address in block for block in _FORBIDDEN_V6)


def _parsed(url: str) -> httpx.URL:
    if len(url) > LONGEST_URL or _STRANGE.search(url):
        raise AddressRefused("This is not an address.")
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise AddressRefused("This is not an address.") from error


def _check_host(host: str) -> None:
    """A host is a public name, or an IP address in its one canonical spelling: readers of other spellings disagree."""
    if _NAME.fullmatch(host):
        if host.endswith(_PRIVATE_SUFFIXES):
            raise AddressRefused(f"The address does not lead to a public server. {ALLOWED_BY_NAME}")
        return
    if not is_public(host):
        raise AddressRefused(f"The address does not lead to a public server. {ALLOWED_BY_NAME}")
