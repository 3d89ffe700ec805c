"""The real servers and the serial line of the gateway's tests, for commands that talk to them."""

from tests.gateway.conftest import adapter, database, influxd, line, victoria, victoria_server  # noqa: F401
