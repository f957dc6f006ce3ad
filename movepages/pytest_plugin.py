"""Plug-in of pytest: the fixture `placement` puts arrays where a benchmark wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

# Every run of pytest imports this module, so the rest waits for the first use of the fixture.
if TYPE_CHECKING:
    from .pytest_placement import Placing


@pytest.fixture
def placement(request: pytest.FixtureRequest) -> Iterator[Placing]:
    """Put arrays on nodes, and check at the end of the test that they are still there.

    ``a = placement(a, target)`` moves what `movepages.move` takes, and returns it. The test fails
    where the memory is not on its target, then or at the end; it is skipped where the machine lacks
    a node. The placement is stored in ``benchmark.extra_info`` of pytest-benchmark.
    """
    from .pytest_placement import Placing

    placing = Placing(request)
    with placing.checked_at_the_end():
        yield placing
