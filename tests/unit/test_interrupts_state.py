"""After a signal during a call that changes something, the change is complete or not made at all.

The handler's exception comes out unchanged. --signal-seconds makes these tests longer.
"""

import gc
import mmap
import os

import numpy as np
import pytest

import damage
import movepages as mp
from interruptions import trial
from support import memory, own_threads, system
from support.processes import PATIENCE_S

PAGE = memory.PAGE
NODES = mp.topology().allowed_nodes
PAGES = 700

# A signal between open() and its `with` leaves the file to the interpreter.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("_no_collections"),
]


@pytest.fixture
def _no_collections():
    """Disable garbage collection: callbacks that it runs lose what a handler raises in them."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def seconds(pytestconfig):
    return pytestconfig.getoption("signal_seconds")


@pytest.fixture
def a():
    """Return memory with contents that can be told apart."""
    a = memory.anonymous(PAGES * PAGE)
    a[:] = np.arange(a.nbytes, dtype=np.uint32).astype(np.uint8)
    return a


def mappings():
    with open("/proc/self/maps", "rb") as file:
        return file.read().count(b"\n")


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def _nothing_left():
    """Check that mappings and open files are as many as before, except for the interpreter's."""
    # Libraries are loaded on first use.
    np.random.default_rng(0)
    damage.whole_placement().save(os.devnull)
    before = mappings(), open_files()
    yield
    gc.collect()
    now = mappings(), open_files()
    most = before[0] + (48 if system.SANITIZED else 12)
    assert (now[0] <= most, now[1] <= before[1]) == (True, True), (before, now)


@pytest.mark.usefixtures("_nothing_left")
def test_load(tmp_path, seconds):
    saved, found = damage.whole_placement(), []
    saved.save(tmp_path / "p")

    def call():
        found[:] = [mp.Placement.load(tmp_path / "p")]

    assert trial(call, seconds, lambda _: damage.same(found[0], saved))


@pytest.mark.usefixtures("_nothing_left")
def test_save(tmp_path, seconds):
    file, turn = tmp_path / "p", 0
    both = damage.whole_placement(), mp.where(memory.anonymous(9000 * PAGE)[:: 3 * PAGE])
    both[1].save(file)
    contents = file.read_bytes()

    def call():
        both[turn % 2].save(file)

    both[0].save(file)
    known = {contents, file.read_bytes()}

    def check(raised):
        nonlocal turn
        assert os.listdir(tmp_path) == ["p"]
        now = file.read_bytes()
        assert now in known
        assert raised or damage.same(mp.Placement.load(file), both[turn % 2])
        turn += 1

    assert trial(call, seconds, check)


@pytest.mark.parametrize("step", [1, 2 * PAGE], ids=["one range", "many ranges"])
def test_bind(seconds, step):
    # Few pages: parts merge with neighbours when their policies match, and splitting takes long.
    part = memory.anonymous(24 * PAGE)[::step]
    turn, mode = 0, ["DEFAULT", "INTERLEAVE"]

    def call():
        name = mode[(turn + 1) % 2].lower()
        mp.bind(part, NODES[:1] if name == "interleave" else (), mode=name)

    def check(raised):
        nonlocal turn
        now = {each.mode.name for each in mp.policy(part)}
        assert len(now) == 1
        assert raised or now == {mode[(turn + 1) % 2]}
        turn += now == {mode[(turn + 1) % 2]}

    assert trial(call, seconds, check)


def test_touch(a, seconds):
    whole = a.copy()

    def call():
        memory.discard(a[: 100 * PAGE])
        mp.touch(a)

    def check(raised):
        assert raised or not mp.where(a).absent_bytes
        assert not a[: 100 * PAGE].any()
        assert np.array_equal(a[100 * PAGE :], whole[100 * PAGE :])

    assert trial(call, seconds, check)


@pytest.mark.parametrize("how", ["move", "retry", "plan", "limit", "one by one"])
def test_moves(a, seconds, how):
    whole, turn = a.copy(), 0
    part = a[:: 2 * PAGE] if how == "one by one" else a
    others = mp.RetryPolicy(attempts=3, backoff=0.0, deadline=1.0, reasons=list(mp.PageStatus))

    def call():
        layout = mp.interleave([*NODES[turn % len(NODES) :], *NODES[: turn % len(NODES)]])
        if how == "plan":
            return mp.plan(part, layout).execute()
        if how == "retry":
            return mp.move(part, layout, retry=others, progress=lambda *_: None)
        return mp.move(part, layout, limit="9GB/s" if how == "limit" else None)

    def check(raised):
        nonlocal turn
        assert np.array_equal(a, whole)
        found = getattr(raised, "result", None)
        if found is not None:
            done = found.moved + (found.already_there or 0) + found.failed
            assert done + found.not_attempted == found.pages == mp.where(part).pages
            if found.runs is not None:
                status = np.repeat(found.runs["status"], found.runs["pages"])
                where = mp.where(part).status[: len(status)]
                assert (where[status >= 0] == status[status >= 0]).all()
        turn += 1

    assert trial(call, seconds, check)


def test_beginning_a_background_move(a, seconds):
    whole, before, jobs = a.copy(), own_threads.ids(), []

    def call():
        jobs.append(mp.move(a, mp.interleave(NODES), background=True))

    def check(raised):
        assert raised or jobs
        for job in jobs:
            job.exception(PATIENCE_S)
        assert own_threads.ended_since(before)
        assert np.array_equal(a, whole)
        jobs.clear()

    assert trial(call, seconds, check)


@pytest.mark.parametrize("what", ["cancel", "result"])
def test_asking_a_background_move(a, seconds, what):
    before, jobs = own_threads.ids(), []

    def call():
        jobs.append(mp.move(a, mp.interleave(NODES), background=True))
        if what == "cancel":
            jobs[-1].cancel()
        else:
            jobs[-1].result(PATIENCE_S)

    def check(raised):
        for job in jobs:
            error = job.exception(PATIENCE_S)
            assert error is None or (what == "cancel" and isinstance(error, mp.MovePagesError))
            assert raised or job.done()
        assert own_threads.ended_since(before)
        jobs.clear()

    assert trial(call, seconds, check)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * (PAGES * PAGE // 256))
    return file


@pytest.mark.usefixtures("_nothing_left")
@pytest.mark.parametrize("read", [False, True])
def test_page_cache(file, seconds, read):
    whole = file.read_bytes()

    def check(_raised):
        assert file.read_bytes() == whole

    assert trial(lambda: mp.page_cache(file, read=read), seconds, check)


@pytest.mark.usefixtures("_nothing_left")
def test_fault_in(file, seconds):
    source = file.open("rb")
    mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)

    def call():
        mapped.madvise(mmap.MADV_DONTNEED)
        mp.fault_in(mapped)

    def check(raised):
        assert raised or not mp.where(mapped).absent_bytes
        assert mapped[5 * PAGE : 5 * PAGE + 256] == bytes(range(256))

    assert trial(call, seconds, check)
    source.close()
    mapped.close()


@pytest.mark.usefixtures("_nothing_left")
@pytest.mark.parametrize("how", ["empty", "zeros", "full", "on a node", "in a layout", "huge"])
def test_new_arrays(seconds, how):
    made = []

    def call():
        made.clear()
        made.append(
            {
                "empty": lambda: mp.empty((64, PAGE), np.uint8),
                "zeros": lambda: mp.zeros((64, PAGE), np.uint8),
                "full": lambda: mp.full((64, PAGE), 7, np.uint8),
                "on a node": lambda: mp.empty((64, PAGE), np.uint8, node=NODES[0]),
                "in a layout": lambda: mp.empty((64, PAGE), np.uint8, layout=mp.blocks(NODES)),
                "huge": lambda: mp.empty((64, PAGE), np.uint8, huge="thp"),
            }[how]()
        )

    def check(raised):
        assert raised or len(made) == 1
        for array in made:
            assert (array == (7 if how == "full" else 0)).all()
            if how == "on a node":
                assert [(each.mode.name, each.nodes) for each in mp.policy(array)] == [
                    ("BIND", NODES[:1])
                ]
        made.clear()

    assert trial(call, seconds, check)
