"""gateway.address: who gets to an address, and how it is written."""

from __future__ import annotations

import pytest

from gateway.address import Address


@pytest.mark.parametrize(
    ("host", "is_ipv6", "is_loopback", "is_everybodys", "url"),
    [
        ("127.0.0.1", False, True, False, "http://127.0.0.1:80/"), ("127.0.0.2", False, True, False, "http://127.0.0.2:80/"),
        ("localhost", False, True, False, "http://localhost:80/"), ("::1", True, True, False, "http://[::1]:80/"),
        ("0.0.0.0", False, False, True, "http://0.0.0.0:80/"), ("::", True, False, True, "http://[::]:80/"),
        ("192.168.1.5", False, False, False, "http://192.168.1.5:80/"),
    ],
)  # fmt: skip
def test_who_gets_there_and_how_it_is_written(host, is_ipv6, is_loopback, is_everybodys, url):
    address = Address(host, 80)
    assert (address.is_ipv6, address.is_loopback, address.is_everybodys) == (is_ipv6, is_loopback, is_everybodys)
    assert address.url() == url
    assert address.url(8377) == url.replace("80/", "8377/")
