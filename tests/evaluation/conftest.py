import pytest
from loopback import serve


@pytest.fixture
def site():
    """A server on loopback: its files, and what goes wrong with them."""
    with serve() as site:
        yield site
