"""movepages.dask with a real cluster of worker processes."""

import os
import signal
import time

import numpy as np
import pytest

import movepages as mp

pytestmark = [
    pytest.mark.host,
    # Of theirs: sockets and loops that are closed late.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(distributed|tornado|dask)"),
]
distributed = pytest.importorskip("distributed", reason="needs the extra dask")
cluster = pytest.importorskip("movepages.dask", reason="needs the extra dask")

NODE = mp.topology().allowed_nodes[0]


@pytest.fixture(scope="module")
def client():
    how = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=3, **how) as local,
        distributed.Client(local) as client,
    ):
        client.wait_for_workers(3)
        yield client


def make(seed):
    return np.full((256, 1024), seed, float)


@pytest.fixture
def held(client):
    """Return futures of an array on each worker."""
    workers = sorted(client.scheduler_info()["workers"])
    found = [client.submit(make, i, workers=[each], pure=False) for i, each in enumerate(workers)]
    distributed.wait(found)
    return found


def test_each_worker_tells_what_it_holds(client, held):
    survey = cluster.survey(client)
    assert len(survey) == 3
    assert len({member.pid for member in survey}) == 3
    assert {member.name for member in survey} == set(client.scheduler_info()["workers"])
    for member in survey:
        assert sum(member.bytes_per_node.values()) == 256 * 1024 * 8
        assert set(member.nodes) <= set(mp.topology().allowed_nodes)
        assert member.problem == "" or "not pinned" in member.problem
    assert str(survey).count("2 MiB") >= 3


def test_place_moves_what_belongs_to_a_collection(client, held):
    others = client.scatter([np.ones(1 << 16)])
    survey = cluster.place(client, held)
    assert [sum(member.bytes_per_node.values()) for member in survey] == [256 * 1024 * 8] * 3
    assert survey.misplaced_bytes == 0
    everything = cluster.place(client)
    assert sum(sum(m.bytes_per_node.values()) for m in everything) > 3 * 256 * 1024 * 8
    del others


def test_a_dask_array_that_is_persisted(client):
    array = pytest.importorskip("dask.array", reason="needs dask[array]")
    x = array.random.default_rng(0).random((1024, 1024), chunks=(256, 1024)).persist()
    distributed.wait(x)
    survey = cluster.place(client, x)
    assert sum(sum(m.bytes_per_node.values()) for m in survey) == x.nbytes
    assert 0.4 < float(x.mean().compute()) < 0.6


def reports_of(client, workers):
    """Return the plugin's reports when each worker's has come, which nobody waits for, or 30 s."""
    end = time.monotonic() + 30
    while True:
        events = [event for _, event in client.get_events(cluster.TOPIC)]
        if {event["name"] for event in events} >= workers or time.monotonic() > end:
            return events
        time.sleep(0.02)


def test_the_plugin_reports_each_machine_and_moves_what_comes(client):
    client.register_plugin(cluster.PlacementPlugin())
    try:
        workers = set(client.scheduler_info()["workers"])
        events = reports_of(client, workers)
        assert {event["name"] for event in events} >= workers
        assert [node["id"] for node in events[0]["topology"]["nodes"]] == list(mp.topology().nodes)
        kept = [client.submit(make, i, pure=False) for i in range(6)]
        assert float(client.submit(np.sum, kept[3]).result()) == 3.0 * 256 * 1024
        assert cluster.survey(client).misplaced_bytes == 0
    finally:
        client.unregister_worker_plugin(cluster.PlacementPlugin.name)


def test_a_worker_that_does_not_answer_is_told():
    how = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, **how) as local,
        distributed.Client(local) as client,
    ):
        client.wait_for_workers(2)
        _, second = sorted(client.scheduler_info()["workers"])
        pids = client.run(os.getpid)
        os.kill(pids[second], signal.SIGKILL)
        survey = cluster.survey(client)
        end = time.monotonic() + 30
        # The nanny may have started another one by now, or not yet.
        while len(survey) < 2 and time.monotonic() < end:
            survey = cluster.survey(client)
        for member in survey:
            answered = sum(member.bytes_per_node.values()) == 0 and member.pid
            assert answered or member.problem.startswith("no answer: ")


def test_answers_become_members():
    gone = cluster._as_member("tcp://a", None)
    failed = cluster._as_member("tcp://b", OSError("lost"))
    assert gone.problem == "no answer: it ended meanwhile"
    assert failed.problem == "no answer: OSError: lost"
    assert not cluster.Survey([gone, failed]).ok
