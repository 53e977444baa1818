"""The header in which a proxy names the person that it has logged in, and the networks from which it counts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# The last 32 bits of an IPv6 address that stands for an IPv4 address.
_MAPPED_BITS = 96


@dataclass(frozen=True)
class TrustedHeader:
    """A header, by its name in lower case, and the networks of the proxies that may set it."""

    name: str
    networks: tuple[Network, ...]

    def problem(self, scope: Mapping[str, Any]) -> str:
        """Return what is wrong with this header in a proxy's request (an ASGI scope).

        "" if nothing is, if the header is absent, or if the request comes from elsewhere.
        """
        given = self._given(scope)
        if len(given) > 1:
            return f"the header {self.name} is there {len(given)} times; let the proxy overwrite it, not add to it"
        if given and not given[0].strip():
            return f"the header {self.name} is empty; let the proxy send it only for people who are logged in"
        if given and any(byte < 0x20 or byte == 0x7F for byte in given[0]):
            return f"the header {self.name} has control characters; let the proxy send the user's plain name"
        return ""

    def names_user(self, scope: Mapping[str, Any]) -> bool:
        """Return whether a request (an ASGI scope) comes from a proxy that has logged somebody in."""
        return bool(self._given(scope)) and not self.problem(scope)

    def _given(self, scope: Mapping[str, Any]) -> list[bytes]:
        """Return the values of the header; none if the peer of the connection is not in one of the networks."""
        peer = _peer(scope)
        if peer is None or not any(peer in network for network in self.networks):
            return []
        wanted = self.name.encode()
        return [value for name, value in scope["headers"] if name == wanted]


def trusted_header(name: str, networks: Iterable[str]) -> TrustedHeader:
    """Return the header with its networks, such as 10.0.0.0/8. Raises ValueError if the name or a network is not valid."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an HTTP header; write for example X-Forwarded-User")
    return TrustedHeader(name.lower(), tuple(_network(text) for text in networks))


def _network(text: str) -> Network:
    try:
        found = ipaddress.ip_network(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a network; write for example 10.1.2.0/24, or the proxy's address") from None
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= _MAPPED_BITS and found.network_address.ipv4_mapped:
        found = ipaddress.ip_network((found.network_address.ipv4_mapped, found.prefixlen - _MAPPED_BITS))
    if not found.prefixlen:
        raise ValueError(f"{text} is every address, so anybody could name any user; write the network of the proxy")
    return found


def _peer(scope: Mapping[str, Any]) -> Address | None:
    """Return the address at the other end of the connection, not the one that a header tells. None if it has none."""
    try:
        found = ipaddress.ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
