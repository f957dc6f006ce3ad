"""Measure the cost of moving: move() against the bare moving call."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

import movepages as mp
from cases.queries import Sizes, huge_array, in_bytes
from harness import memory, tlb
from harness.contenders import by_c, timed
from harness.contest import Bound, Line, Rounds, Row, Skip, cost, faster, ratio, seconds, take_turns

IN_PLACE, ONE_IN_PLACE, PLAIN, INTERLEAVED, SHOOTDOWNS = 100, 20, 1.1, 1.05, 0.01
# Bytes that push everything else out of the caches when they are written.
EVICTING = 64 << 20
Measure = Callable[[Callable[[], object]], float]


def in_place_rounds(
    array: np.ndarray, rounds: int, calls: int, ready: Callable[[], object] = lambda: None
) -> Rounds:
    """Let move() and the bare call move pages to the node they are on; `ready` precedes each."""
    pages = memory.pages_of(array)
    status = np.empty(len(pages), np.int32)
    by_c(pages, None, status)
    node = int(status[0])
    assert (status == node).all(), "the pages are not all on one node"
    nodes = np.full(len(pages), node, np.int32)
    result: list[mp.MoveResult] = []

    def check() -> None:
        assert (status == node).all()
        assert all(each.already_there == len(pages) for each in result)
        assert result
        result.clear()
        status.fill(mp.PageStatus.NOT_ATTEMPTED)

    def by_move() -> float:
        return timed(lambda: result.append(mp.move(array, node)), calls)

    def turn(measure: Callable[[], float]) -> Callable[[], float]:
        def get_ready_and_measure() -> float:
            ready()
            return measure()

        return get_ready_and_measure

    turns = {"C": turn(lambda: by_c(pages, nodes, status)), "movepages": turn(by_move)}
    return take_turns(turns, rounds, check)


def huge_in_place(sizes: Sizes) -> list[Line]:
    name = f"move() of {in_bytes(sizes.size)} of huge pages in place: C on each page / movepages"
    array = huge_array(sizes.size, name)
    if isinstance(array, Skip):
        return [array]
    # The kernel may have spread the array over several nodes, so move it to one, as far as it fits.
    mp.move(array, max(mp.where(array).bytes_per_node.items(), key=lambda item: item[1])[0])
    rounds = in_place_rounds(array, sizes.rounds, calls=10)
    return [faster(name, rounds, "C", "movepages", IN_PLACE)]


def one_in_place(sizes: Sizes) -> list[Line]:
    array, other = memory.small_pages(memory.PAGE), np.zeros(EVICTING, np.uint8)
    rounds = max(sizes.rounds, 101)

    def warm() -> None:
        mp.move(array, next(iter(mp.where(array).bytes_per_node)))

    def cold() -> None:
        np.add(other, 1, out=other)

    name = "move() of one page in place: C / movepages"
    warmed = in_place_rounds(array, rounds, 10, warm)
    evicted = in_place_rounds(array, rounds, 1, cold)
    return [
        faster(name, warmed, "C", "movepages", ONE_IN_PLACE),
        faster(f"{name}, caches cold", evicted, "C", "movepages"),
    ]


class Journey:
    """Two equal arrays: move() moves one, the bare call the other, to the same nodes in turn."""

    def __init__(self, arrays: tuple[np.ndarray, np.ndarray], step: int = memory.PAGE) -> None:
        self.ours, self.theirs = arrays
        self.pages = memory.pages_of(self.theirs, step)
        self.status = np.empty(len(self.pages), np.int32)
        self.per_page = step // memory.PAGE

    def rounds(self, targets: list[np.ndarray], rounds: int, measure: Measure = timed) -> Rounds:
        """Move to each target in turn; each of `targets` has a node for each listed page."""
        turns = itertools.cycle(targets)
        wanted = targets[0]
        result: mp.MoveResult | None = None

        def prepare() -> None:
            nonlocal wanted
            wanted = next(turns)
            self.status.fill(mp.PageStatus.NOT_ATTEMPTED)

        def move() -> None:
            nonlocal result
            same = (wanted == wanted[0]).all()
            result = mp.move(self.ours, int(wanted[0]) if same else wanted)

        def check() -> None:
            assert result is not None
            assert result.ok, str(result)
            assert (self.status == wanted).all(), "the bare call did not move every page"
            for array in (self.ours, self.theirs):
                pages = memory.pages_of(array)
                now = np.empty(len(pages), np.int32)
                by_c(pages, None, now)
                assert np.array_equal(now, np.repeat(wanted, self.per_page)), "not as wanted"

        turns_of = {
            "C": lambda: measure(lambda: by_c(self.pages, wanted, self.status)),
            "movepages": lambda: measure(move),
        }
        return take_turns(turns_of, rounds, check, prepare)


def two_nodes(name: str) -> tuple[int, int] | Skip:
    nodes = mp.topology().allowed_nodes
    if len(nodes) < 2:
        return Skip(name, "needs two NUMA nodes with memory, this process may use only one")
    return nodes[0], nodes[1]


def two_small(sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    return memory.small_pages(sizes.move), memory.small_pages(sizes.move)


def plain(sizes: Sizes) -> list[Line]:
    name = f"move() of {in_bytes(sizes.move)} of small pages to another node / C"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    journey = Journey(two_small(sizes))
    targets = [np.full(len(journey.pages), node, np.int32) for node in nodes]
    return [cost(name, journey.rounds(targets, sizes.rounds), "movepages", "C", PLAIN)]


def interleaved(sizes: Sizes) -> list[Line]:
    name = f"move() of {in_bytes(sizes.move)} of small pages, interleaved on two nodes / C"
    shot = "TLB shootdowns of it, with another CPU busy / C"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes, Skip(shot, nodes.why)]
    journey = Journey(two_small(sizes))
    even = np.arange(len(journey.pages)) % 2
    targets = [np.where(even == turn, *nodes).astype(np.int32) for turn in (0, 1)]
    rounds = journey.rounds(targets, sizes.rounds)
    lines: list[Line] = [cost(name, rounds, "movepages", "C", INTERLEAVED)]
    why = tlb.why_not()
    if why:
        return [*lines, Skip(shot, why)]
    with tlb.busy_elsewhere():
        counts = journey.rounds(targets, sizes.rounds, tlb.shootdowns_of)
    if not all(each["C"] for each in counts):
        return [*lines, Skip(shot, "this machine counts no shootdowns, even for the bare call")]
    detail = f"C {seconds(counts, 'C'):,.0f}, movepages {seconds(counts, 'movepages'):,.0f}"
    bound = Bound("<=", SHOOTDOWNS)
    return [*lines, Row(shot, ratio(counts, "movepages", "C"), bound=bound, detail=detail)]


def huge_by_heads(sizes: Sizes) -> list[Line]:
    name = f"move() of {in_bytes(sizes.move)} of huge pages to another node / C on their heads"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    ours, theirs = (huge_array(sizes.move, name) for _ in range(2))
    for array in (ours, theirs):
        if isinstance(array, Skip):
            return [array]
    journey = Journey((ours, theirs), memory.huge_page_size())
    targets = [np.full(len(journey.pages), node, np.int32) for node in nodes]
    return [cost(name, journey.rounds(targets, sizes.rounds), "movepages", "C")]


MOVES = (huge_in_place, one_in_place, plain, interleaved, huge_by_heads)
