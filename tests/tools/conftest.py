"""The real servers of the gateway's tests, for commands that talk to them."""

from tests.gateway.conftest import adapter, database, influxd, victoria, victoria_server  # noqa: F401
