"""A long campaign of random calls over a mixture of all kinds of pages, to catch false reports.

Pages come in any order and number, repeated, as pieces of huge pages, and at odd addresses.
Targets, flags and the functions called are random; holes appear and disappear. After every call
each status is compared with the page tables, and some with get_mempolicy(2) as well. Pages that
the call did not name must be unchanged.
"""

import contextlib
import os
import time
from errno import ENOMEM

import numpy as np
import pytest

import movepages as mp
from movepages.query import page_query
from support import memory, nodes, witness
from support.kinds import HOLE, MAKERS, MOVE, MOVE_ALL, CannotMakeError, Kind
from support.kinds_judge import Judge, bits
from support.memory import PAGE, USER_END

CHANGING_PAGES = 64
ZERO = frozenset({-14})
WHOLE_CHECK_EVERY = 50
FEW, MANY = 60, 700
MIB = 1 << 20
CHANGES = 20


class Changing:
    """Memory whose pages become holes, zero pages and pages with data again."""

    def __init__(self, node):
        self.array = memory.anonymous(CHANGING_PAGES * PAGE)
        memory.bind(self.array, node)
        memory.touch(self.array)
        self.kind = Kind(memory.pages_of(self.array), name="changing")

    def change(self, random, absent):
        """Change a few pages, and write the error codes that they now give into `absent`."""
        for index in random.choice(CHANGING_PAGES, 3, replace=False).tolist():
            page = self.array[index * PAGE : (index + 1) * PAGE]
            how = random.integers(3)
            if how == 0:
                memory.discard(page)
                absent[index] = bits(HOLE)
            elif how == 1 and absent[index]:
                assert page[0] == 0
                absent[index] = bits(ZERO)
            elif how == 2:
                page[0] = index
                absent[index] = 0


class Campaign:
    """Makes random calls, and collects the false reports about pages."""

    def __init__(self, kinds, changing, ids, seed):
        self.random = np.random.default_rng(seed)
        self.judge = Judge([changing.kind, *kinds])
        self.changing, self.ids = changing, np.array(ids, np.int32)
        self.false = []
        self.said = {}
        self.counts = np.diff(self.judge.first)

    def run(self, calls):
        before = self.judge.look()
        for number in range(calls):
            if self.random.random() < 0.3:
                self.changing.change(self.random, self.judge.absent[:CHANGING_PAGES])
                before = self.judge.look()
            draw = self.random.random()
            face = self.query if draw < 0.2 else self.face if draw < 0.3 else self.move
            before = face(number, before)
            if number % WHOLE_CHECK_EVERY == 0 or number + 1 == calls:
                for kind in self.judge.kinds:
                    if not kind.unchanged():
                        self.false.append(f"call {number}: the memory of {kind.name} has changed")

    def some(self):
        """Return indices of pages to pass, in any order and some more than once.

        Each kind is equally likely, however many pages of it there are.
        """
        random, total = self.random, len(self.judge.pages)
        count = random.integers(1, MANY if random.random() < 0.03 else FEW)
        kinds = random.integers(len(self.counts), size=count)
        mixture = self.judge.first[kinds] + random.integers(self.counts[kinds])
        if random.random() < 0.5:
            return mixture
        row = np.arange(mixture[0], mixture[0] + count * random.integers(1, 4)) % total
        return random.choice(row, count) if random.random() < 0.5 else row[:count]

    def addresses(self, asked):
        pages = self.judge.pages[asked]
        odd = self.random.random() < 0.5
        return pages + self.random.integers(0, PAGE, len(asked), np.uintp) if odd else pages

    def pid(self):
        return os.getpid() if self.random.random() < 0.2 else 0

    def query(self, number, before):
        asked = self.some()
        status = mp.move_pages(self.addresses(asked), pid=self.pid())
        now = self.judge.look()
        self.note(number, self.judge.of_query(asked, status, now), asked, status, None, before, now)
        return now

    def move(self, number, before):
        asked, random = self.some(), self.random
        flags = MOVE_ALL if random.random() < 0.3 else MOVE
        target = random.choice(self.ids)
        if random.random() < 0.5:
            target = random.choice(self.ids[: random.integers(2, len(self.ids) + 1)], len(asked))
            # In runs: each change of target moves a huge page back and forth, which takes time.
            target = np.repeat(target, 1 + len(asked) // CHANGES)[: len(asked)].copy()
        status, error = np.full(len(asked), 77, np.int32), 0
        nodes = target if isinstance(target, np.ndarray) else int(target)
        try:
            mp.move_pages(self.addresses(asked), nodes, status, pid=self.pid(), flags=flags)
        except MemoryError as failure:
            error = failure.errno
        now = self.judge.look()
        each = np.broadcast_to(target, len(asked))
        wrong = self.judge.of_move(asked, status, each, flags, before, now, error)
        self.note(number, wrong, asked, status, each, before, now)
        return now

    def face(self, number, before):
        """Query or move a run of neighbouring pages with where() or move()."""
        random, judge = self.random, self.judge
        kind = random.integers(len(judge.kinds))
        first, last = judge.first[kind : kind + 2].tolist()
        first = random.integers(first, last)
        asked = np.arange(first, random.integers(first, last) + 1)
        inside = np.flatnonzero(np.diff(judge.pages[asked]) != PAGE)
        asked = asked[: inside[0] + 1] if len(inside) else asked
        page_query.FEWEST_PAGES = int(random.choice([1, 32]))
        start = int(judge.pages[asked[0]])
        if start < PAGE or start >= USER_END:
            return before
        region = mp.Region(start, len(asked) * PAGE, pid=self.pid())
        if random.random() < 0.3:
            status = mp.where(region).status
            now = judge.look()
            self.note(number, judge.of_query(asked, status, now), asked, status, None, before, now)
            return now
        flags, node = int(random.choice([MOVE, MOVE_ALL])), int(random.choice(self.ids))
        error = 0
        try:
            result = mp.move(region, node, flags=flags, threads=int(random.choice([1, 2, 3])))
        except MemoryError as failure:
            result, error = failure.result, failure.errno
        now = judge.look()
        each = np.full(len(asked), node, np.int32)
        wrong = judge.of_move(asked, result.status, each, flags, before, now, error)
        there = before[1][asked] == node
        right = int(np.count_nonzero(there & (result.status == node)))
        wrong |= result.already_there != right
        self.note(number, wrong, asked, result.status, each, before, now)
        return now

    def note(self, number, wrong, asked, status, target, before, now):
        kinds = self.judge.kind[asked]
        for kind, value in zip(kinds.tolist(), status.tolist(), strict=True):
            counts = self.said.setdefault(self.judge.kinds[kind].name, {})
            counts[value] = counts.get(value, 0) + 1
        if wrong.any():
            what = self.judge.describe(wrong, asked, status, target, before, now)
            self.false.append(f"call {number}, {len(asked)} pages:\n{what}")
        moved = self.judge.bystanders(asked if target is not None else asked[:0], before, now)
        if moved.any():
            names = {self.judge.kinds[kind].name for kind in self.judge.kind[moved]}
            self.false.append(f"call {number}: bystanders were changed: {names}")


@pytest.fixture
def every_kind(two_nodes, need_root):
    """Make pages of every kind that is possible here, alternating between the first two nodes."""
    ids = nodes.allowed()
    kinds = []
    with contextlib.ExitStack() as stack:
        for number, (name, make) in enumerate(MAKERS.items()):
            try:
                kinds.append(stack.enter_context(make(ids[number % 2])))
            except CannotMakeError as error:
                print(f"no pages of the kind '{name}': {error}")
        yield kinds


def report_of(kinds, calls, seed):
    """Run a campaign; fail on a false report, or if some kind of page got no report at all."""
    print(f"campaign of {calls} calls, seed {seed}, {len(kinds)} kinds of pages")
    ids = nodes.allowed()
    start = time.monotonic()
    one = Campaign(kinds, Changing(ids[0]), ids, seed)
    fewest = page_query.FEWEST_PAGES
    try:
        one.run(calls)
    finally:
        page_query.FEWEST_PAGES = fewest
        one.judge.close()
    pages = sum(sum(counts.values()) for counts in one.said.values())
    print(f"{pages} statuses checked in {time.monotonic() - start:.0f} s")
    for name, counts in one.said.items():
        print(f"  {name}: {dict(sorted(counts.items()))}")
    summary = "\n".join(one.false[:10])
    assert not one.false, (
        f"seed {seed}: {len(one.false)} false reports in {calls} calls:\n{summary}"
    )
    assert set(one.said) == {kind.name for kind in one.judge.kinds}
    return one


def test_no_false_report(every_kind, campaign):
    report_of(every_kind, *campaign)


@pytest.mark.usefixtures("own_pid_as_another")
def test_no_false_report_of_another_process(every_kind, campaign, monkeypatch):
    monkeypatch.setattr(Campaign, "pid", lambda _: os.getpid())
    calls, seed = campaign
    report_of(every_kind, max(calls // 5, 1), seed + 2)


@pytest.fixture
def ballast():
    """Return the smallest node, and a function that fills it.

    The kernel may free memory there later, such as pages of its caches.
    """
    small = min(nodes.allowed(), key=nodes.free_bytes)
    here = max(nodes.allowed(), key=nodes.free_bytes)
    size = nodes.most_bytes(small) + 64 * MIB
    if small == here or nodes.free_bytes(here) < size + 200 * MIB:
        pytest.skip("needs a node much smaller than another, such as one of 256 MiB")
    array = memory.anonymous(size, node=here)

    def fill():
        for _ in range(3):
            with contextlib.suppress(MemoryError):
                mp.move(array, small)

    fill()
    return small, fill


@pytest.fixture
def full_node(ballast):
    """Fill the smallest node, so that pages moved there find no room."""
    return ballast[0]


def test_no_false_report_with_a_full_node(every_kind, campaign, full_node):
    calls, seed = campaign
    # Giving up a range together with its memory would make room.
    kinds = [kind for kind in every_kind if kind.name != "given up"]
    one = report_of(kinds, max(calls // 5, 1), seed + 1)
    assert any(-ENOMEM in counts for counts in one.said.values())


# If pages before it stay in place, the second piece ends the batch that holds the first.
@pytest.mark.parametrize("pieces", [[7], [0, 1, 5], list(range(11))], ids=str)
@pytest.mark.parametrize("behind", [0, 2], ids=["alone", "behind others"])
def test_a_huge_page_whose_target_is_full(ballast, huge_page_size, pieces, behind):
    full_node, fill = ballast
    here = next(node for node in nodes.allowed() if node != full_node)
    a = memory.anonymous(huge_page_size, node=here, huge=True)
    a[:: memory.PAGE] = 1
    small = memory.anonymous(2 * memory.PAGE, node=here)
    small[:: memory.PAGE] = 1
    pages = np.concatenate([memory.pages_of(small)[:behind], memory.pages_of(a)[pieces]])
    for _ in range(20):
        try:
            status = mp.move_pages(pages, full_node)
            assert set(status.tolist()) == {full_node}
        except MemoryError as failure:
            status = failure.status
        # Any page may find room if the kernel has freed some meanwhile; the witness must agree.
        assert set(status.tolist()) <= {-ENOMEM, full_node}
        now = witness.nodes_of(pages)
        assert np.array_equal(np.where(status == full_node, full_node, here), now)
        if set(status[behind:].tolist()) == {-ENOMEM}:
            return
        mp.move_pages(pages, here)
        fill()
    pytest.fail("the node was never full")
