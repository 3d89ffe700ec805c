"""Where something listens: an IP address or localhost, and a port."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple


class Address(NamedTuple):
    host: str
    port: int

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    @property
    def is_loopback(self) -> bool:
        """Only this machine gets there."""
        return self.host == "localhost" or ip_address(self.host).is_loopback

    @property
    def is_everybodys(self) -> bool:
        """Listens on every network; asked from here, it is loopback."""
        return self.host != "localhost" and ip_address(self.host).is_unspecified

    def url(self, port: int | None = None) -> str:
        """The root of an HTTP server here; `port` where the system has chosen another one."""
        host = f"[{self.host}]" if self.is_ipv6 else self.host
        return f"http://{host}:{self.port if port is None else port}/"
