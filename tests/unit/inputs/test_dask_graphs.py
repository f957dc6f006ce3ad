"""Graphs of several versions of Dask, with classes that stand for its own."""

import numpy as np
import pytest

import movepages as mp
from library_fixtures import made


def collection(keys, graph):
    return made(
        "dask.base",
        "DaskMethodsMixin",
        __dask_keys__=lambda _: keys,
        __dask_graph__=lambda _: graph,
    )


def test_values_and_aliases_in_a_graph_of_dask() -> None:
    first, second = np.ones(10), np.zeros(10)
    graph = {
        ("x", 0): made("dask._task_spec", "Alias", target=("y", 0)),
        ("y", 0): made("dask._task_spec", "DataNode", value=first),
        # As before Dask 2024.12.
        ("x", 1): ("y", 1),
        ("y", 1): second,
        "sum": "total",
        "total": first,
        "pair": ("name", second),
    }
    found = mp.where(collection([[("x", 0)], [("x", 1)], "sum", "pair"], graph))
    assert list(found) == ["partitions[0]", "partitions[1]", "sum", "pair[1]"]
    assert [each.address for each in found.values()] == [
        each.ctypes.data for each in (first, second, first, second)
    ]


@pytest.mark.parametrize(
    "value",
    [
        made("dask._task_spec", "Task"),
        made("dask._task_spec", "List"),
        (np.add, 1, 2),
        ("x", 0),
    ],
)
def test_a_task_in_a_graph_of_dask_is_refused(value) -> None:
    with pytest.raises(TypeError, match=r"lazy: not computed yet; pass x\.persist\(\)"):
        mp.where(collection([("x", 0)], {("x", 0): value}))
