"""Which hosts are this machine."""

import pytest

from console.clients.loopback import is_loopback


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.9.9.9", "::1", "[::1]",
             "::ffff:127.0.0.1"]
)  # fmt: skip
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "localhost.evil.example", "evil.example", "127.0.0.1.evil.example", "0.0.0.0", "::",
     "10.0.0.1", "169.254.169.254", "128.0.0.1", "2130706433", "0x7f.0.0.1", "127.1", "١٢٧.0.0.1"],
)  # fmt: skip
def test_others_and_whatever_is_read_in_two_ways(host: str | None) -> None:
    assert not is_loopback(host)
