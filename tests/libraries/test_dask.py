"""where() of Dask collections, in this process and not."""

import numpy as np
import pytest

import movepages as mp

da = pytest.importorskip("dask.array")
delayed = pytest.importorskip("dask.delayed").delayed

LAZY = r"not in this process's memory: it is lazy: not computed yet; pass x\.persist\(\)"


def chunks_of(array):
    """Return the chunks, of which a computation of persisted ones makes no copies."""
    return dict(
        zip(
            (f"blocks{list(key[1:])}" for row in array.__dask_keys__() for key in row),
            (each.compute(scheduler="sync") for each in array.to_delayed().ravel()),
            strict=True,
        )
    )


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_the_members_are_the_chunks(scheduler) -> None:
    array = da.random.random((100, 200), chunks=(50, 60)).persist(scheduler=scheduler)
    chunks = chunks_of(array)
    before = {name: chunk.copy() for name, chunk in chunks.items()}
    assert len(chunks) == 8
    for found in (mp.where(array), mp.where(array)):
        assert {name: (each.address, each.nbytes) for name, each in found.items()} == {
            name: (chunk.ctypes.data, chunk.nbytes) for name, chunk in chunks.items()
        }
    assert all((chunks[name] == before[name]).all() for name in chunks)
    (alone,) = mp.where(array.blocks[1, 3]).values()
    assert mp.where(array)["blocks[1, 3]"] == alone


def test_whole_chunks_of_a_persisted_array() -> None:
    array = da.ones((100, 100), chunks=50).persist(scheduler="synchronous")
    found = mp.where(array[:50])
    assert [each.address for each in found.values()] == [
        each.ctypes.data for each in list(chunks_of(array).values())[:2]
    ]


def test_chunks_that_the_graph_holds_from_the_beginning() -> None:
    array = da.from_array(np.ones((100, 100)), chunks=50)
    chunks = chunks_of(array)
    assert len(chunks) == 4
    assert {name: each.address for name, each in mp.where(array).items()} == {
        name: chunk.ctypes.data for name, chunk in chunks.items()
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: da.ones(100, chunks=50),
        lambda: da.ones(100, chunks=50).persist(scheduler="synchronous") + 1,
        lambda: da.ones(100, chunks=50).persist(scheduler="synchronous")[3:],
        lambda: da.from_array(np.ones(100), chunks=50) * 2,
        lambda: delayed(np.ones)(10),
    ],
)
def test_a_lazy_collection_is_refused(make) -> None:
    with pytest.raises(TypeError, match=f"^x: .*{LAZY}"):
        mp.where({"x": make()})


def test_nothing_is_computed() -> None:
    ran = []

    def load(block):
        ran.append(1)
        return block

    array = da.ones(100, chunks=50).map_blocks(load, dtype=float, meta=np.ones(0))
    with pytest.raises(TypeError, match=LAZY):
        mp.where(array)
    assert not ran


def test_a_delayed_value() -> None:
    value = delayed(np.ones)(1000).persist(scheduler="synchronous")
    found = mp.where(value)
    assert [each.address for each in found.values()] == [
        value.compute(scheduler="sync").ctypes.data
    ]
    assert list(found) == ["value"]
    lists = delayed(lambda: [np.ones(10), {"a": np.ones(20)}])().persist(scheduler="sync")
    assert [each.nbytes for each in mp.where(lists).values()] == [80, 160]


def test_a_table() -> None:
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    table = dd.from_pandas(pd.DataFrame({"a": np.arange(1000.0)}), npartitions=2)
    for lazy in (table, table.a, table + 1, table.a.sum()):
        with pytest.raises(TypeError, match=LAZY):
            mp.where(lazy)
    found = mp.where(table.persist(scheduler="synchronous"))
    assert sum(each.nbytes for name, each in found.items() if name.endswith(".a")) == 8000
    assert {"partitions[0].a", "partitions[1].a"} <= set(found)


def test_a_bag_and_an_array_without_axes() -> None:
    bag = pytest.importorskip("dask.bag").from_sequence([np.ones(3)] * 4, npartitions=2)
    names = [f"partitions[{k}][{j}]" for k in range(2) for j in range(2)]
    assert list(mp.where(bag.persist(scheduler="synchronous"))) == names
    whole = da.from_array(np.ones(()), chunks=()).persist(scheduler="synchronous")
    assert list(mp.where(whole)) == ["blocks[()]"]


# distributed warns if making its folder takes a second, as on a busy machine.
@pytest.mark.filterwarnings("ignore:Creating scratch directories:UserWarning")
def test_what_the_workers_of_a_cluster_hold_is_refused() -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, protocol="inproc://"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        array = client.persist(da.ones(100, chunks=50))
        value = client.submit(np.ones, 10)
        for there in (array, value, [array]):
            with pytest.raises(TypeError, match=r"not in this process's memory.*movepages\.dask"):
                mp.where(there)
