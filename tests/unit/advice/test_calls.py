"""advise(function, *args): one run, its memory, and where its threads were seen."""

import functools

import numpy as np
import pytest

import movepages as mp
import movepages.advice.advise as advising
from advice_fixtures import machine
from movepages.advice.use import Kind, use_seen
from movepages.processes.observation import Observation, ObservedThread
from support import memory

# The same on every kernel.
pytestmark = pytest.mark.host

MIB = 1 << 20


def filled():
    a = memory.anonymous(2 * MIB, mp.topology().allowed_nodes[0])
    memory.touch(a)
    return a


def thread(by_node, tid=1):
    return ObservedThread(
        tid=tid, name="worker", cpus=(0, 1, 2, 3), cpu=0, cpu_seconds_per_cpu=by_node,
        cpu_seconds_per_node=by_node,
    )  # fmt: skip


def test_arguments_and_result_are_looked_at():
    a, b = filled(), filled()
    calls = []

    def work(x, _number, _text):
        calls.append(x)
        return [b, "text"]

    found = mp.advise(work, a, 3, "text")
    assert len(calls) == 1
    assert calls[0] is a
    assert found.result[0] is b
    assert sorted(each.name for each in found.findings) == ["argument_1", "result[0]"]
    assert [each.nbytes for each in found.findings] == [2 * MIB] * 2
    assert found.observed.seconds >= 0
    assert "seen during the run:" in str(found)
    assert "seen during the run:" in found._repr_html_()
    assert found.as_dict()["observed"]["seconds"] == found.observed.seconds


@pytest.mark.parametrize(
    ("function", "result"),
    [(list, []), (functools.partial(max, 3, 4), 4), ("text".upper, "TEXT"), (dict, {})],
)
def test_what_can_only_be_called_is_called_without_arguments_too(function, result):
    assert mp.advise(function).result == result
    assert mp.advise(np.add, 1, 2).result == 3


def test_callables_of_any_class_without_memory_are_functions():
    class Five:
        def __call__(self):
            return 5

    assert mp.advise(Five()).result == 5
    assert mp.advise(functools.lru_cache(lambda: 6)).result == 6

    class Elsewhere(Five):
        def __movepages_buffers__(self):
            raise TypeError("on another device")

    with pytest.raises(TypeError, match="on another device"):
        mp.advise(Elsewhere())


def test_a_callable_with_memory_is_looked_at_unless_it_has_arguments():
    class Model:
        def __init__(self):
            self.weights = filled()

        def __movepages_buffers__(self):
            yield "weights", self.weights

        def __call__(self, x):
            return x + 1

    model = Model()
    (found,) = mp.advise(model).findings
    assert found.name == "weights"
    assert mp.advise(model, 3).result == 4


def test_what_the_function_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        mp.advise(lambda: 1 / 0)
    with pytest.raises(TypeError, match="cannot be called; pass several objects as one list"):
        mp.advise(np.ones(9), np.ones(9))


def test_memory_that_is_elsewhere_is_a_note():
    class Elsewhere:
        def __movepages_buffers__(self):
            raise TypeError("on another device")

    found = mp.advise(lambda x: x.__class__, Elsewhere())
    assert "Argument_1 was not looked at" in found.notes[0]
    assert "on another device" in found.notes[0]
    overlapping = np.lib.stride_tricks.as_strided(np.zeros(99, np.uint8), (9, 3), (8, 5))
    ran = mp.advise(len, overlapping)
    assert ran.result == 9
    assert "Argument_1 was not looked at" in ran.notes[0]


@pytest.mark.parametrize(
    ("threads", "kind", "order"),
    [
        ([thread({0: 9.0, 1: 0.1})], Kind.ONE_NODE, (0,)),
        ([thread({0: 1.0}), thread({1: 1.0})], Kind.BOUND, (0, 1)),
        ([thread({0: 1.0, 1: 1.0}), thread({1: 1.0, 0: 2.0})], Kind.FREE, (0, 1)),
        ([thread({1: 1.0}), thread({0: 0.001})], Kind.ONE_NODE, (1,)),
        ([thread({0: 9.0}), thread({1: 0.001}), thread({1: 0.001})], Kind.ONE_NODE, (0,)),
    ],
)
def test_threads_count_where_they_ran(tmp_path, threads, kind, order):
    use = use_seen(machine(tmp_path), Observation(seconds=1.0, threads=tuple(threads)))
    assert (use.kind, use.order) == (kind, order)
    assert use_seen(machine(tmp_path), Observation(seconds=1.0)) is None


@pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")
def test_advice_from_where_threads_ran(tmp_path, monkeypatch):
    two = machine(tmp_path)
    monkeypatch.setattr(advising, "read_topology", lambda: two)
    monkeypatch.setattr(advising, "is_balancing", lambda: False)
    seen = Observation(seconds=1.0, threads=(thread({1: 1.0}),))
    monkeypatch.setattr(advising, "observe", lambda *_: seen)
    found = mp.advise(max, filled())
    assert [each.layout for each in found.findings] == ["1"]
    assert any("next run" in note for note in found.notes)
