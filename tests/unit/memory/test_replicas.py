"""replicate(): copies on nodes, the near one, and what becomes of them."""

import gc
import os
import tracemalloc
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import movepages as mp
from interruptions import trial
from movepages import _core
from movepages.memory import copies, replicas
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1


def arrays():
    rng = np.random.default_rng(0)
    big = rng.integers(0, 255, (3 << 20) + 5, np.uint8)
    grid = rng.random((700, 900))
    return {
        "one dimension": big,
        "larger than a part": np.resize(big, 3 * copies._PART_BYTES + 17),
        "rows": grid,
        "columns": np.asfortranarray(grid),
        "strided": grid[::2, 5:700:3],
        "backwards": grid[::-1],
        "wide": np.resize(grid, (2, 1_200_000)),
        "wide columns": np.asfortranarray(np.resize(grid, (1_200_000, 2))),
        "deep": np.resize(grid, (2, 2, 600_000)),
        "broadcast": np.broadcast_to(grid[0], (3, 900)),
        "scalar": np.array(2.5),
        "nothing": np.empty((0, 4)),
        "no rows": np.empty((4, 0)),
        "records": np.array([(1, 2.5)] * 100, [("a", "i4"), ("b", "f8")]),
        "big-endian": np.arange(100, dtype=">i8"),
        "text": np.array(["a", "bcd"]),
        "times": np.arange(10).astype("M8[s]"),
    }


@pytest.mark.parametrize("name", arrays())
def test_arrays(name):
    a = arrays()[name]
    with mp.replicate(a, [NODE]) as found:
        copy = found.here
        assert found.on(NODE) is copy
        assert (copy.dtype, copy.shape) == (a.dtype, a.shape)
        assert np.array_equal(copy, a)
        assert copy.flags.fnc == a.flags.fnc
        assert copy.flags.aligned
        assert not copy.flags.writeable
        assert not np.may_share_memory(copy, a)
        with pytest.raises(ValueError, match="read-only"):
            copy[...] = copy
        if a.nbytes:
            assert mp.where(copy).bytes_per_node == {NODE: a.nbytes}
            assert mp.policy(copy)[0].mode == mp.PolicyMode.BIND


def test_a_memmap_is_read_as_it_is(tmp_path):
    values = np.arange(1 << 20)
    np.save(tmp_path / "table.npy", values)
    table = np.load(tmp_path / "table.npy", mmap_mode="r")
    tracemalloc.start()
    try:
        found = mp.replicate(table, [NODE])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The copies are in mappings of their own, and nothing else has the size of the table.
    assert peak < values.nbytes // 4
    assert type(found.here) is np.ndarray
    assert np.array_equal(found.here, values)


def test_containers():
    w, b = np.ones((50, 60)), np.arange(60)
    model = OrderedDict(w=w, deep={"b": b, "tied": w, "part": w[1:]}, rest=[b, (w,)], name="x", n=3)
    found = mp.replicate(model, [NODE])
    copy = found.on(NODE)
    assert list(copy) == list(model)
    assert (copy["name"], copy["n"]) == ("x", 3)
    assert np.array_equal(copy["deep"]["part"], w[1:])
    assert copy["deep"]["tied"] is copy["w"] is copy["rest"][1][0]
    assert copy["rest"][0] is copy["deep"]["b"]
    assert found.nbytes < 2 * w.nbytes + b.nbytes + 3 * 64
    names = list(mp.where(found))
    assert names[:2] == [f"node{NODE}.w", f"node{NODE}.deep.b"]
    distinct = w.nbytes + w[1:].nbytes + b.nbytes
    assert mp.where(found).bytes_per_node == {NODE: distinct}


def test_an_object_with_a_state():
    class Model:
        def state_dict(self):
            return {"w": np.ones(5)}

    assert mp.replicate(Model(), [NODE]).here["w"].tolist() == [1] * 5


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("a", "nodes", "error", "said"),
    [
        (np.ones(3), [], ValueError, "at least one node"),
        (np.ones(3), NODE, ValueError, "expected a sequence"),
        (np.ones(3), [NOT_A_NODE], mp.MovePagesError, "is not a node of this machine"),
        (np.array([object()]), [NODE], TypeError, "without objects"),
        (np.ma.masked_array([1], [1]), [NODE], TypeError, "got a masked one"),
        ({"w": {"b": np.array([None])}}, [NODE], TypeError, r"^w\.b: expected"),
        ({"a": 3}, [NODE], TypeError, "no array in it"),
        ({"w": Pair(np.ones(3), 1)}, [NODE], TypeError, r"^w: expected .* got a Pair"),
        (3, [NODE], TypeError, "got a int"),
        (bytearray(9), [NODE], TypeError, "if np.asarray"),
    ],
)
def test_invalid_arguments(a, nodes, error, said):
    with pytest.raises(error, match=said):
        mp.replicate(a, nodes)


def test_a_closed_one():
    found = mp.replicate(np.ones(1000), [NODE, NODE])
    assert found.nodes == (NODE,)
    assert repr(found) == f"<Replicas of 8,000 bytes on nodes [{NODE}]>"
    with pytest.raises(KeyError, match=rf"no copy on node 77: the copies are on \[{NODE}\]"):
        found.on(77)
    kept = found.here
    with found:
        pass
    for use in (lambda: found.here, lambda: found.on(NODE), lambda: mp.where(found)):
        with pytest.raises((ValueError, KeyError, TypeError), match=r"closed|no array"):
            use()
    assert kept.sum() == 1000
    found.close()


def test_copies_are_freed():
    def resident():
        with open("/proc/self/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * PAGE

    a = np.ones(4 << 20)
    mp.replicate(a, [NODE]).close()
    before = resident()
    for _ in range(5):
        with mp.replicate(a, [NODE]) as found:
            assert found.here[-1] == 1
    gc.collect()
    assert resident() < before + a.nbytes // 2


def test_the_copy_near_each_cpu(monkeypatch):
    machine = mp.topology()
    copies_of = {node: object() for node in machine.nodes}
    found = replicas.Replicas(copies_of, 0)
    for node in machine.nodes.values():
        for cpu in node.cpus:
            monkeypatch.setattr(_core, "current_cpu", lambda cpu=cpu: cpu)
            assert found.here is copies_of[node.id]


def test_too_little_memory_on_some_nodes(monkeypatch):
    monkeypatch.setattr(_core, "node_room", lambda _: 5 << 20)
    monkeypatch.setattr(replicas, "zone_reserves", lambda: {NODE: 1 << 20})
    with pytest.raises(
        mp.MovePagesMemoryError,
        match=f"node {NODE} can give 4 MiB, but 8 MiB are needed there: 4 MiB too little",
    ):
        mp.replicate(np.ones(1 << 20), [NODE])


def test_an_interrupt_frees_the_copies(pytestconfig):
    a = np.ones((copies._PART_BYTES >> 13, 4096))
    assert a.nbytes > copies._PART_BYTES // 4
    seconds = pytestconfig.getoption("signal_seconds")
    assert trial(lambda: mp.replicate(a, [NODE]).close(), seconds) > 0


def test_current_cpu():
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        assert _core.current_cpu() == min(cpus)
    finally:
        os.sched_setaffinity(0, cpus)
