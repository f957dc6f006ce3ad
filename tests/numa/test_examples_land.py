"""The examples put their arrays where they say, checked by the witness."""

import importlib
import os

import numpy as np
import pytest

import movepages as mp
from support import memory, witness

PAGE = memory.PAGE


@pytest.fixture
def example(request, monkeypatch):
    monkeypatch.syspath_prepend(request.config.rootpath / "examples")
    return importlib.import_module


def nodes_of(array):
    flat = array.reshape(-1).view(np.uint8)
    return witness.nodes_of(memory.pages_of(flat))


def plain_smooth(grid, steps):
    for _ in range(steps):
        inner = (grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:]) * 0.25
        grid = grid.copy()
        grid[1:-1, 1:-1] = inner
    return grid


def test_stencil_places_blocks_beside_their_threads(two_nodes, example):
    stencil = example("stencil")
    nodes = stencil.compute_nodes()
    assert len(nodes) >= 2
    before = os.sched_getaffinity(0)
    grid = np.random.default_rng(0).random((400, 512))
    result = stencil.smooth(grid, 5, nodes)
    assert np.allclose(result, plain_smooth(grid, 5), rtol=1e-12)
    found = nodes_of(result)
    assert found.tolist() == np.repeat(nodes, len(found) // len(nodes)).tolist()
    assert os.sched_getaffinity(0) == before


def test_each_worker_has_its_rows_on_its_node(two_nodes, example):
    rows = example("matrix_rows")
    nodes = rows.compute_nodes()
    # Small pages: a huge page across the middle would go to one of the nodes.
    matrix = memory.anonymous(256 * 1024 * 8).view(np.float64).reshape(256, 1024)
    matrix[:] = 1.0
    rows.place(matrix, nodes)
    found = nodes_of(matrix)
    assert found.tolist() == np.repeat(nodes, len(found) // len(nodes)).tolist()


def test_a_table_goes_to_the_memory_only_node_and_comes_back(memory_only_node, two_nodes, example):
    demote = example("demote")
    slow = demote.slow_node()
    assert not mp.topology().nodes[slow].cpus
    here = two_nodes[0]
    table = memory.anonymous(512 * PAGE, here).view(np.float64)
    table[:] = 1.5
    half = table[: len(table) // 2]
    before = demote.demote(half, slow)
    assert nodes_of(table).tolist() == [slow] * 256 + [here] * 256
    mp.move(half, before).raise_for_status()
    assert (nodes_of(table) == here).all()
    assert (table == 1.5).all()
