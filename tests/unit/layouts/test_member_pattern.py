"""MemberPattern against a count of each member's bytes in each page."""

import numpy as np
import pytest

from movepages.layouts.member_pattern import MemberPattern
from movepages.layouts.patterns import NOWHERE
from movepages.layouts.targets import PerPage
from movepages.pages.buffers import footprint_of
from movepages.pages.named import NamedFootprints

# The same on every kernel.
pytestmark = pytest.mark.host

PAGE = 4096


class Some(PerPage):
    """A node for each page, or none."""

    @property
    def distinct(self):
        return sorted(set(self._nodes[self._nodes >= 0].tolist()))

    def count_nowhere(self, index, _addresses, pages):
        ends = [slice(i, i + n) for i, n in zip(index.tolist(), pages.tolist(), strict=True)]
        return np.array([np.count_nonzero(self._nodes[each] == NOWHERE) for each in ends])


def named(arrays: list[np.ndarray]) -> NamedFootprints:
    footprints = [footprint_of(array) for array in arrays]
    strided = {k: each for k, each in enumerate(footprints) if each.dims}
    sizes = [0 if each.dims else each.block for each in footprints]
    addresses = [each.address for each in footprints]
    names = [str(k) for k in range(len(arrays))]
    return NamedFootprints(names, addresses, sizes, strided, {}, PAGE, 0)


def cut(random: np.random.Generator, base: np.ndarray) -> np.ndarray:
    first = int(random.integers(0, len(base)))
    step = int(random.choice([1, 1, 1, 9000]))
    return base[first : first + int(random.integers(1, 60_000)) : step]


@pytest.mark.parametrize("seed", range(100))
def test_most_bytes_decide(seed: int) -> None:
    random = np.random.default_rng(seed)
    base = np.zeros(40 * PAGE, np.uint8)
    arrays = [cut(random, base) for _ in range(random.integers(1, 7))]
    members = named(arrays)
    nodes = [random.integers(NOWHERE, 3, each.pages).astype(np.int32) for each in members]
    pattern = MemberPattern([Some(each) for each in nodes], members)
    votes: dict[int, list[tuple[int, int]]] = {}
    for member, wanted in zip(members, nodes, strict=True):
        for (addresses, held), low in zip(member.chunks(1), range(len(wanted)), strict=True):
            votes.setdefault(int(addresses[0]), []).append((int(held[0]), int(wanted[low])))
    pages = np.array(sorted(votes), np.uintp)
    found = pattern.nodes_for(np.arange(len(pages)), pages)
    torn = pattern.torn_at(pages)
    nowhere = 0
    for page, node, is_torn in zip(pages.tolist(), found.tolist(), torn.tolist(), strict=True):
        known = [(held, wanted) for held, wanted in votes[page] if wanted != NOWHERE]
        sums: dict[int, int] = {}
        for held, wanted in known:
            sums[wanted] = sums.get(wanted, 0) + held
        nowhere += not known
        most = max(sums.values(), default=0)
        assert node == min((each for each, n in sums.items() if n == most), default=NOWHERE)
        assert is_torn == (len({wanted for _, wanted in known}) > 1)
    assert set(pattern.distinct) >= set(found[found >= 0].tolist())
    rows = list(members.pieces.ranges())
    counts = [pattern.count_nowhere(np.zeros(len(n), int), a, n).sum() for a, n in rows]
    assert sum(counts) == nowhere
    for low in range(0, len(pages), 3):
        part = pages[low : low + 3]
        assert (pattern.nodes_for(np.arange(len(part)), part) == found[low : low + 3]).all()


def test_pages_without_a_target_count_once() -> None:
    base = np.zeros(20 * PAGE, np.uint8)
    arrays = [base[: 10 * PAGE + 5], base[10 * PAGE + 5 :]]
    members = named(arrays)
    nodes = [np.full(each.pages, NOWHERE, np.int32) for each in members]
    pattern = MemberPattern([Some(each) for each in nodes], members)
    for addresses, pages in members.pieces.ranges():
        assert (pattern.count_nowhere(np.zeros(len(pages), int), addresses, pages) == pages).all()
