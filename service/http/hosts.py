"""Hosts: which names requests may use for this service, and which addresses are of this machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\s]+)(:[0-9]{1,5})?")


def host_of(authority: str) -> str | None:
    """Return the host of `host[:port]`, in lower case and without the dot at its end; None where it is no authority."""
    found = AUTHORITY.fullmatch(authority.lower())
    return None if found is None else found[1].removesuffix(".")


def port_of(authority: str) -> int | None:
    """Return the port of `host:port`; None where there is none."""
    found = AUTHORITY.fullmatch(authority.lower())
    return int(found[2][1:]) if found and found[2] else None


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, which no name server can point elsewhere."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Return whether a host or a peer's address is of this machine itself."""
    if host in LOCAL_NAMES:
        return True
    return is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


class HostAllowlist:
    """The hosts that requests may name: those listed, `.example.org` for every name below it, `*` for all.

    Without a list: this machine, and where the service listens elsewhere, every IP address.
    """

    def __init__(self, listed: Iterable[str], listens_on: str) -> None:
        names = {name.lower() for name in listed}
        self.all = "*" in names
        self.suffixes = tuple(name for name in names if name.startswith("."))
        self.names = names | {*LOCAL_NAMES, listens_on.lower()}
        self.addresses = not is_loopback(listens_on)
        self.allows = lru_cache(maxsize=1024)(self._allows)

    def _allows(self, authority: bytes) -> bool:
        """Return whether a Host header names this service."""
        host = host_of(authority.decode("latin-1"))
        if host is None:
            return False
        if self.all or host in self.names or (self.suffixes and host.endswith(self.suffixes)):
            return True
        return self.addresses and is_address(host)
