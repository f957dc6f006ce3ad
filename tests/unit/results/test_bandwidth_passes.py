"""How long a read of memory takes by measured bandwidths."""

import pytest

from advice_fixtures import bandwidth
from movepages.results.bandwidth_passes import pass_seconds

GB = 1e9


@pytest.mark.parametrize(
    ("traffic", "seconds"),
    [
        ({}, 0.0),
        ({(0, 0): GB}, 1 / 100),
        ({(0, 1): GB}, 1 / 25),
        # One after the other by the same CPUs.
        ({(0, 0): GB, (0, 1): GB}, 1 / 100 + 1 / 25),
        # At the same time by others.
        ({(0, 0): GB, (1, 1): GB}, 1 / 100),
        # Both from one memory, which gives no more than to those near it.
        ({(0, 0): 8 * GB, (1, 0): GB}, 9 / 100),
        ({(0, 0): GB, (1, 0): GB}, 1 / 25),
    ],
)
def test_the_slowest_decides(traffic, seconds):
    assert pass_seconds(bandwidth(100, 25), traffic) == pytest.approx(seconds)


def test_pairs_that_were_not_measured_are_not_known():
    assert pass_seconds(bandwidth(), {(0, 0): 1, (5, 0): 1}) is None
    assert pass_seconds(bandwidth(), {(0, 7): 1}) is None
