"""The loops behind measure_bandwidth(): what they read and write, and where their threads run."""

import contextlib
import errno
import os

import numpy as np
import pytest

import movepages as mp
from interruptions import trial
from movepages import _core
from movepages.memory import bandwidth_rounds
from support import memory, own_threads, policies

CPUS = sorted(os.sched_getaffinity(0))
NOT_A_CPU = 65535
LINE = 64


@pytest.fixture(autouse=True)
def _nothing_of_this_thread_changes():
    before, cpus = own_threads.ids(), os.sched_getaffinity(0)
    policy = policies.of_thread()
    yield
    assert own_threads.ended_since(before)
    assert os.sched_getaffinity(0) == cpus
    assert policies.of_thread() == policy


def lines(count):
    return memory.anonymous(-(-count * LINE // memory.PAGE) * memory.PAGE)[: count * LINE]


def traffic(kind, *parts, seconds=0, pause=None):
    return _core.traffic(kind, list(parts), seconds, pause)


@pytest.mark.parametrize("count", [1, 3, 40, 1 << 15])
def test_write_leaves_addresses_and_nothing_else(count):
    a = memory.anonymous(count * LINE + 2 * memory.PAGE)
    middle = a[memory.PAGE : memory.PAGE + count * LINE]
    code, _, seconds, rounds, sums = traffic("write", (middle, None, CPUS[0]))
    words = middle.view(np.uint64)
    expected = middle.ctypes.data + 8 * np.arange(len(words), dtype=np.uint64)
    assert np.array_equal(words, expected)
    assert sums == [int(words.sum())] == [bandwidth_rounds.sum_of_addresses(middle)]
    assert (code, rounds) == (0, 3)
    assert seconds > 0
    assert not a[: memory.PAGE].any()
    assert not a[memory.PAGE + count * LINE :].any()


def test_read_returns_the_sum_of_each_part():
    parts = [lines(count) for count in (1, 7, 1 << 16)]
    rng = np.random.default_rng(0)
    for part in parts:
        part[:] = rng.integers(0, 256, len(part), np.uint8)
    before = [part.copy() for part in parts]
    sums = traffic("read", *((part, None, CPUS[0]) for part in parts))[4]
    assert sums == [int(part.view(np.uint64).sum()) for part in parts]
    assert all(map(np.array_equal, parts, before))


def test_every_word_counts():
    a = lines(100)
    a[:] = 0
    for at in range(0, len(a), 8):
        a.view(np.uint64)[at // 8] = at + 1
        assert traffic("read", (a, None, CPUS[0]))[4] == [at + 1]
        a[at : at + 8] = 0


def test_copy():
    source, memory_ = lines(1 << 15), lines(1 << 15)
    source[:] = np.random.default_rng(1).integers(0, 256, len(source), np.uint8)
    sums = traffic("copy", (memory_, source, CPUS[-1]))[4]
    assert np.array_equal(memory_, source)
    assert sums == [int(source.view(np.uint64).sum())]


def test_rounds_go_on_until_the_time_is_over():
    a = lines(64)

    def rounds(seconds):
        return traffic("read", (a, None, CPUS[0]), seconds=seconds)[3]

    assert rounds(0) == 3
    # The time begins before the thread does, which may have to wait for its CPU.
    assert any(rounds(seconds) > 3 for seconds in (0.05, 0.5, 5, 50))


@pytest.mark.parametrize("count", [2, 3, 1000])
def test_the_lines_form_one_cycle(count):
    a = lines(count)
    code, _, found = _core.chase(a, LINE, np.array([CPUS[0]] * 2, np.int32), 0.0, count, None)
    after = ((a.view(np.uint64)[:: LINE // 8] - a.ctypes.data) // LINE).tolist()
    order = [0]
    while after[order[-1]] != 0:
        order.append(after[order[-1]])
    assert sorted(order) == list(range(count))
    at = 0
    assert code == 0
    for ns, steps, last in found:
        assert ns > 0
        assert steps == 3 * count
        at += steps
        assert last == a.ctypes.data + LINE * order[at % count]


def test_cycles_differ_by_seed():
    a = lines(1000)
    orders = []
    for seed in (1, 1, 2):
        _core.chase(a, LINE, np.array(CPUS[:1], np.int32), 0.0, seed, None)
        orders.append(a.view(np.uint64)[:: LINE // 8].tolist())
    assert orders[0] == orders[1] != orders[2]


def test_a_cpu_that_does_not_exist_fails():
    a, b = lines(1 << 16), lines(1 << 16)
    parts = (a, None, CPUS[0]), (b, None, NOT_A_CPU)
    assert traffic("read", *parts, seconds=60)[:2] == (errno.EINVAL, 1)
    code, index, found = _core.chase(
        a, LINE, np.array([CPUS[0], NOT_A_CPU], np.int32), 0.0, 0, None
    )
    assert (code, index, len(found)) == (errno.EINVAL, 1, 1)
    with pytest.raises(mp.MovePagesValueError, match=f"no thread can run on CPU {NOT_A_CPU}"):
        bandwidth_rounds.measure_rates([bandwidth_rounds.Part(a, NOT_A_CPU)], 0, lambda: None)


def test_invalid_arguments_are_refused():
    a = lines(64)
    frozen = a.view()
    frozen.flags.writeable = False
    for kind, parts, seconds in [
        ("sum", [(a, None, 0)], 0),
        ("read", [], 0),
        ("read", [(a[:-8], None, 0)], 0),
        ("read", [(a[8:-56], None, 0)], 0),
        ("read", [(a[:0], None, 0)], 0),
        ("read", [(a, None, -1)], 0),
        ("read", [(a, None, 0)], -1),
        ("read", [(a, None, 0)], float("nan")),
        ("copy", [(a, None, 0)], 0),
        ("copy", [(a, a[:64], 0)], 0),
    ]:
        with pytest.raises(ValueError, match=r"expected|no such CPU"):
            _core.traffic(kind, parts, seconds, None)
    with pytest.raises(ValueError, match="read-only"):
        _core.traffic("read", [(frozen, None, 0)], 0, None)
    with pytest.raises(TypeError, match="parts"):
        _core.traffic("read", [a], 0, None)
    for given, line in [(a, 4), (a, 96), (a[:64], 64), (a, 0)]:
        with pytest.raises(ValueError, match="expected"):
            _core.chase(given, line, np.zeros(1, np.int32), 0, 0, None)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_ends_rounds(threads, pytestconfig):
    parts = [(lines(1 << 12), None, CPUS[i % len(CPUS)]) for i in range(threads)]

    def rounds():
        came = traffic("write", *parts, seconds=0.1)
        if isinstance(came, BaseException):
            raise came

    assert trial(rounds, pytestconfig.getoption("signal_seconds")) > 0


def test_an_interrupt_ends_a_chase():
    class StopError(Exception):
        pass

    def pause():
        raise StopError

    a = lines(1 << 16)
    came = _core.chase(a, LINE, np.array(CPUS[:1] * 100, np.int32), 3600, 0, pause)
    assert isinstance(came, StopError)
    came = traffic("copy", (a[: len(a) // 2], a[len(a) // 2 :], CPUS[0]), seconds=3600, pause=pause)
    assert isinstance(came, StopError)


def test_memory_that_somebody_changes_is_told(monkeypatch):
    a = lines(1 << 10)
    real = _core.traffic

    def wrong(kind, parts, seconds, pause):
        *rest, sums = real(kind, parts, seconds, pause)
        return *rest, [each + (kind == "read") for each in sums]

    monkeypatch.setattr(_core, "traffic", wrong)
    with pytest.raises(mp.MovePagesError, match="after the rounds of read"):
        bandwidth_rounds.measure_rates(bandwidth_rounds.divide(a, CPUS), 0, lambda: None)


def test_each_thread_runs_on_its_cpu_alone():
    class SeenError(Exception):
        pass

    own = own_threads.ids()

    def pause():
        found = set()
        for task in own_threads.ids() - own:
            # The thread of a chase may end between the two looks.
            with contextlib.suppress(ProcessLookupError):
                found.add(frozenset(os.sched_getaffinity(task)))
        if found == wanted:
            raise SeenError

    wanted = {frozenset([cpu]) for cpu in CPUS}
    parts = [(lines(1 << 10), None, cpu) for cpu in CPUS]
    assert isinstance(traffic("read", *parts, seconds=3600, pause=pause), SeenError)
    assert own_threads.ended_since(own)
    wanted = {frozenset(CPUS[-1:])}
    last = np.array(CPUS[-1:] * 10**6, np.int32)
    # In less memory, each chase has ended before the team looks for a signal.
    assert isinstance(_core.chase(lines(1 << 20), LINE, last, 3600, 0, pause), SeenError)
