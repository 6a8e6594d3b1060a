"""Real servers, each started once; `make test-real` alone asks for them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture(scope="session", params=["llama", "transformers"])
def server(request):
    """A server with the tiny model, warm."""
    if not request.config.getoption("--real"):
        pytest.skip("`make test-real` builds and starts real servers")
    from real_servers import SERVERS

    with SERVERS[request.param]() as running:
        yield running
