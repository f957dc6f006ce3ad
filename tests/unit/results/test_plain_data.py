"""as_dict() of every result is ready for JSON."""

import json

import numpy as np

import movepages as mp
from movepages.cluster.members import Member, Survey
from movepages.processes.observing import observe
from movepages.system.node import HugePagePool
from support import memory

PAGE = memory.PAGE
MIB = 1 << 20
NODE = mp.topology().allowed_nodes[0]
# What a user makes or hands in, what is no result of its own, and errors.
NO_RESULTS = {
    "Absence", "BackgroundMove", "Layout", "PageStatus", "PolicyMode", "Process",
    "Region", "RetryPolicy", "Watch",
}  # fmt: skip


def two_arrays():
    return {"a": memory.anonymous(8 * PAGE, NODE), "b": memory.anonymous(4 * PAGE)}


def results():
    """Return an object of each public class of results."""
    a, both, machine = memory.anonymous(8 * PAGE, NODE), two_arrays(), mp.topology()
    device = mp.Device("eth0", "network", None)
    advice = mp.advise(a)
    with mp.replicate(np.ones(9), [NODE]) as replicas:
        localized = mp.process().localize(machine.cpu_nodes[0], dry_run=True)
        return [
            mp.where(a), mp.where(both), mp.move(a, NODE), mp.move(both, NODE), mp.plan(both, NODE),
            mp.preflight(), mp.preflight().checks[0], machine, machine.nodes[NODE], device,
            mp.Access((0, 1), 1, None, 2, 3), HugePagePool(3, 2, 1), replicas, localized,
            localized.before, localized.threads[0], mp.policy(a)[0],
            mp.CollapseResult(nbytes=5, failures={16: 5}), mp.Near(device, NODE, 0, (0, 1)),
            next(mp.watch(count=1)), Member(name="x"), Survey([Member(name="x")]),
            advice, advice.findings[0], advice.threads[0], observe(sum, [[1]]),
        ]  # fmt: skip


def test_every_result_survives_json():
    for each in results():
        text = json.dumps(each.as_dict(), allow_nan=False)
        assert json.dumps(json.loads(text)) == text, type(each)


def test_every_class_of_results_has_it():
    classes = [
        value
        for name in mp.__all__
        if isinstance(value := getattr(mp, name), type)
        and not issubclass(value, (Exception, Warning))
    ]
    assert {each.__name__ for each in classes if not hasattr(each, "as_dict")} == NO_RESULTS


def test_a_placement():
    a = memory.anonymous(8 * PAGE, NODE)
    memory.discard(a[: 2 * PAGE])
    p = mp.where(a)
    data = p.as_dict(runs=True)
    assert data["bytes_per_node"] == {str(NODE): 6 * PAGE}
    assert data["absent_reasons"] == {r.name: n for r, n in p.absent_reasons.items()}
    assert [tuple(each.values()) for each in data["runs"]] == p.runs.tolist()
    assert [each["address"] for each in data["absences"]] == [a.ctypes.data]
    assert json.loads(json.dumps(data)) == data
    assert data.keys() - p.as_dict().keys() == {"runs", "absences"}


def test_members():
    both = two_arrays()
    where, moved = mp.where(both), mp.move(both, NODE)
    assert where.as_dict() == {
        "total": where.total.as_dict(),
        "members": {name: each.as_dict() for name, each in where.items()},
    }
    assert moved.as_dict()["by_member"] == moved.by_member.as_dict()
    # Kernels differ in the errno of a page that is absent.
    assert moved.as_dict()["failures"] in ({"ENOENT": 4}, {"EFAULT": 4})
    assert "by_member" not in mp.move(both["a"], NODE).as_dict()


def test_a_plan():
    data = mp.plan(two_arrays(), NODE).as_dict()
    assert data["flows"] == [{"from": NODE, "to": NODE, "nbytes": 8 * PAGE}]
    assert (data["absent"], data["to_move"], data["in_place"]) == (4, 0, 8 * PAGE)
