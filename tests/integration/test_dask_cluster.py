"""movepages.dask with a real cluster of worker processes."""

import asyncio
import contextlib
import doctest
import gc
import importlib
import os
import signal
import threading
import time

import numpy as np
import pytest

import movepages as mp

pytestmark = [
    pytest.mark.host,
    # distributed closes its sockets and event loops late.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(distributed|tornado|dask)"),
    # It warns if making its folder takes a second, as on a busy machine.
    pytest.mark.filterwarnings("ignore:Creating scratch directories:UserWarning"),
]
distributed = pytest.importorskip("distributed", reason="needs the extra dask")
cluster = pytest.importorskip("movepages.dask", reason="needs the extra dask")

PATIENCE_S = 300
# A worker of a busy machine may need the longer ones to answer.
WAITS_S = (2, 10, 60)
HOW = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}


@pytest.fixture(scope="module", autouse=True)
def _collected():
    """Collect what distributed leaves behind, whose warnings would hit a later test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=3, **HOW) as local,
        distributed.Client(local) as client,
    ):
        client.wait_for_workers(3)
        yield client


def make(seed):
    return np.full((256, 1024), seed, float)


@pytest.fixture
def held(client):
    """Return futures of one array per worker, once the workers hold nothing else."""
    # Tracebacks of expected errors keep arrays of an earlier test alive.
    gc.collect()
    end = time.monotonic() + PATIENCE_S
    while any(client.run(lambda dask_worker: len(dask_worker.data)).values()):
        assert time.monotonic() < end
        time.sleep(0.05)
    workers = sorted(client.scheduler_info()["workers"])
    found = [client.submit(make, i, workers=[each], pure=False) for i, each in enumerate(workers)]
    distributed.wait(found)
    return found


def test_each_worker_reports_what_it_holds(client, held):
    survey = cluster.survey(client)
    assert len(survey) == 3
    assert len({member.pid for member in survey}) == 3
    assert {member.name for member in survey} == set(client.scheduler_info()["workers"])
    for member in survey:
        assert sum(member.bytes_per_node.values()) == 256 * 1024 * 8
        assert set(member.nodes) <= set(mp.topology().allowed_nodes)
        assert member.problem == ""
    assert str(survey).count("2 MiB") >= 3


def test_place_covers_a_collection_or_everything(client, held):
    others = client.scatter([np.ones(1 << 16)])
    survey = cluster.place(client, held)
    assert [sum(member.bytes_per_node.values()) for member in survey] == [256 * 1024 * 8] * 3
    assert survey.misplaced_bytes == 0
    everything = cluster.place(client)
    assert sum(sum(m.bytes_per_node.values()) for m in everything) > 3 * 256 * 1024 * 8
    del others


def test_place_waits_for_a_dask_array(client):
    array = pytest.importorskip("dask.array", reason="needs dask[array]")
    x = array.random.default_rng(0).random((1024, 1024), chunks=(256, 1024))
    x = x.map_blocks(later, dtype=float).persist()
    survey = cluster.place(client, x)
    assert sum(sum(m.bytes_per_node.values()) for m in survey) == x.nbytes
    assert 0.4 < float(x.mean().compute()) < 0.6


def later(block):
    time.sleep(0.2)
    return block


def reports_of(client, workers):
    """Return the plugin's reports once every worker has sent one, or after a long wait."""
    end = time.monotonic() + PATIENCE_S
    while True:
        events = [event for _, event in client.get_events(cluster.TOPIC)]
        if {event["name"] for event in events} >= workers or time.monotonic() > end:
            return events
        time.sleep(0.02)


def test_plugin_reports_each_machine_and_places_new_results(client):
    def listen(dask_worker):
        cluster = importlib.import_module("movepages.dask")
        move_near, dask_worker.moved = cluster.move_near, []

        def overheard(name, arrays, flags):
            found = move_near(name, arrays, flags)
            dask_worker.moved += [each.nbytes for each in arrays]
            return found

        cluster.move_near = overheard

    def heard(dask_worker):
        return dask_worker.moved

    def all_heard():
        return [size for sizes in client.run(heard).values() for size in sizes]

    client.register_plugin(cluster.PlacementPlugin())
    try:
        workers = set(client.scheduler_info()["workers"])
        events = reports_of(client, workers)
        assert {event["name"] for event in events} >= workers
        assert [node["id"] for node in events[0]["topology"]["nodes"]] == list(mp.topology().nodes)
        client.run(listen)
        kept = [client.submit(make, i, pure=False) for i in range(6)]
        kept.append(client.submit(lambda: {"rows": [np.ones(1000)]}))
        distributed.wait(kept)
        end = time.monotonic() + PATIENCE_S
        while len(sizes := all_heard()) < 7 and time.monotonic() < end:
            time.sleep(0.02)
        assert sorted(sizes) == [8000] + [256 * 1024 * 8] * 6
        assert cluster.survey(client).misplaced_bytes == 0
        # Every array is well placed, so the workers report nothing further.
        assert len(client.get_events(cluster.TOPIC)) == len(events)
    finally:
        client.unregister_worker_plugin(cluster.PlacementPlugin.name)


@pytest.fixture
def pair():
    """Yield the client of a two-worker cluster that a test may damage, and the workers' pids."""
    with (
        distributed.LocalCluster(n_workers=2, **HOW) as local,
        distributed.Client(local) as client,
    ):
        client.wait_for_workers(2)
        yield client, dict(sorted(client.run(os.getpid).items()))


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_worker_dying_during_a_survey_is_reported(pair):
    client, pids = pair
    first, second = pids

    def die_when_asked():
        cluster = importlib.import_module("movepages.dask")
        cluster.look = lambda *_: os._exit(1)

    client.run(die_when_asked, workers=[second])
    well, lost = cluster.survey(client)
    assert (well.name, well.pid, well.problem) == (first, pids[first], "")
    assert (lost.name, lost.pid) == (second, 0)
    assert lost.problem.startswith("no answer: CommClosedError: ")


def interrupted_survey(client, seconds):
    """Return the result of a survey that Ctrl-C ends after some seconds."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # Signal this thread, which is the one that waits.
    here = threading.get_ident()
    timer = threading.Timer(seconds, signal.pthread_kill, [here, signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            cluster.survey(client)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    return caught.value.result


def test_hung_worker_is_reported_on_timeout_and_on_interrupt(pair):
    client, pids = pair
    first, second = pids
    with stopped(pids[second]):
        for seconds in WAITS_S:
            well, silent = cluster.survey(client, timeout=seconds)
            if not well.problem:
                break
        assert (well.name, well.pid, well.problem) == (first, pids[first], "")
        assert (silent.name, silent.problem) == (second, f"no answer: none within {seconds} s")

        for seconds in WAITS_S:
            well, silent = interrupted_survey(client, seconds)
            if not well.problem:
                break
        assert (well.name, well.pid, well.problem) == (first, pids[first], "")
        assert (silent.name, silent.problem) == (second, "no answer: interrupted")
    # Abandoned requests do not block the next survey.
    assert [member.pid for member in cluster.survey(client)] == list(pids.values())


def test_a_cluster_without_workers():
    with (
        distributed.LocalCluster(n_workers=0, **HOW) as local,
        distributed.Client(local) as client,
    ):
        assert cluster.survey(client) == ()


def test_place_and_survey_reject_invalid_arguments(client):
    array = pytest.importorskip("dask.array", reason="needs dask[array]")
    with pytest.raises(ValueError, match="this Array is not computed"):
        cluster.place(client, array.ones((10, 10), chunks=5))
    with pytest.raises(TypeError, match="got a ndarray"):
        cluster.place(client, np.ones(3))
    with pytest.raises(TypeError, match=r"client: expected a distributed\.Client, got 42"):
        cluster.survey(42)
    for timeout in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="timeout: expected seconds above 0"):
            cluster.survey(client, timeout=timeout)

    async def within():
        async with distributed.Client(client.scheduler.address, asynchronous=True) as other:
            cluster.survey(other)

    with pytest.raises(TypeError, match="asynchronous=False"):
        asyncio.run(within())


def refuse(_seed):
    raise RuntimeError("no such chunk")


def test_place_rejects_a_collection_with_a_failed_task(client, held):
    lost = client.submit(refuse, 0, pure=False)
    with pytest.raises(ValueError, match=r"1 of its 4 tasks .*RuntimeError: no such chunk") as told:
        cluster.place(client, [*held, lost])
    assert isinstance(told.value.__cause__, RuntimeError)


def test_spilled_arrays_stay_on_disk_and_are_reported(client, held):
    first = next(iter(client.who_has(held[:1]).values()))

    def spill(key, dask_worker):
        while key in dask_worker.data.fast:
            dask_worker.data.evict()

    client.run(spill, held[0].key, workers=first)
    for survey in (cluster.place(client, held), cluster.place(client)):
        assert sorted(member.problem for member in survey)[-1].startswith("1 spilled to disk")
    told = {member.name: member for member in cluster.place(client, held)}
    for name, member in told.items():
        if name in first:
            assert member.problem == "1 spilled to disk, so not in memory"
            assert member.bytes_per_node == {}
        else:
            assert member.problem == ""
    assert held[0].key not in {key for m in client.run(in_memory).values() for key in m}


def in_memory(dask_worker):
    return list(dask_worker.data.fast)


def test_examples(client):
    names = {"np": np, "mp": mp, "client": client}
    result = doctest.testmod(cluster, extraglobs=names)
    assert result.attempted >= 4
    assert result.failed == 0
