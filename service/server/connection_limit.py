"""How many connections there may be, of all clients and of one address; idle ones make room for others."""

from __future__ import annotations

from asyncio import Transport
from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from service.errors import Overloaded, Problem

IPV6_PREFIX = 64  # bits: what one customer has at least


class Idle(Protocol):
    """A connection without a request."""

    transport: Transport


class Connections:
    """The connections of a process: how many each address has, and which are idle, in the order of idling.

    Addresses of this machine are not counted: proxies on it have all clients behind them.
    """

    def __init__(self, most: int, most_of_address: int | None) -> None:
        self.most = most
        self.most_of_address = most_of_address
        self.count = 0
        self.of_address: Counter[str] = Counter()
        self.idle: dict[Idle, None] = {}
        self.draining = False
        """Whether this process is about to end, so that each connection has one more request at most."""
        self.withdrawn = False
        """Whether this process says that it is not ready, since it is about to stop without another in its place."""

    def enter(self, address: str) -> Problem | None:
        """Count a connection; return why it is refused, if it is. It is to leave all the same."""
        self.count += 1
        has_room = self.count <= self.most or self.made_room()
        if address:
            self.of_address[address] += 1
            if self.most_of_address is not None and self.of_address[address] > self.most_of_address:
                return Overloaded(f"This address has {self.most_of_address} connections already; use those.")
        return None if has_room else Overloaded(f"{self.most} connections are in use already; try again in a second.")

    def made_room(self) -> bool:
        """End the connection that idles longest; one that was refused idles, too. Return whether there is any."""
        if not self.idle:
            return False
        oldest = next(iter(self.idle))
        del self.idle[oldest]
        oldest.transport.abort()
        return True

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self.count -= 1
        if address:
            self.of_address[address] -= 1
            if not self.of_address[address]:
                del self.of_address[address]


def counted_address(client: tuple[str, int] | None) -> str:
    """Return what a client is counted as: its address, of IPv6 the network; empty where it is not counted."""
    try:
        address = ip_address(client[0].partition("%")[0]) if client else None
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return "" if address.is_loopback else f"{int(address) >> (128 - IPV6_PREFIX):x}::"
        address = address.ipv4_mapped
    return "" if address is None or address.is_loopback else str(address)
