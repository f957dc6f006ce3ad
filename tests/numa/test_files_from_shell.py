"""Files moved from the shell are where they belong for the next process that reads them."""

import contextlib
import io
import json
import os

import numpy as np
import pytest

from movepages.cli import main
from support import memory, nodes, processes, safetensors_files, witness

PAGE = memory.PAGE
PAGES = 64


def movepages(*arguments, status=0):
    """Run the command in a process of its own, and return its JSON object.

    The process is forked, because a new one takes seconds in a guest until it has imported all.
    """

    def run():
        with contextlib.redirect_stdout(io.StringIO()) as said:
            return main([*map(str, arguments), "--json"]), said.getvalue()

    found, said = processes.run_as(None, run)
    assert found == status, said
    return json.loads(said)


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory):
    """Import here, once, what every child would have to import otherwise."""
    path = tmp_path_factory.mktemp("small") / "file"
    path.write_bytes(bytes(PAGE))
    with contextlib.redirect_stdout(io.StringIO()):
        main(["where", str(path), "--json"])
        main(["move", str(path), "--to", str(nodes.allowed()[0]), "--json"])


def nodes_of_file(path, offset=0, nbytes=None):
    """Return the node of each page of a file, as a new process finds it."""

    def look():
        a = np.memmap(path, np.uint8, "r")[offset:]
        a = a if nbytes is None else a[:nbytes]
        total = int(a.sum())
        return witness.nodes_of(memory.pages_of(a)).tolist(), total

    return processes.run_as(None, look)


@pytest.fixture
def file(disk):
    path = disk / "table"
    path.write_bytes(np.repeat(np.arange(PAGES, dtype=np.uint8), PAGE).tobytes())
    os.sync()
    yield path
    path.unlink()


def test_a_file_stays_where_it_was_moved(file, two_nodes):
    here, there = two_nodes
    total = int(np.arange(PAGES).sum()) * PAGE
    for node in (here, there, here):
        found = movepages("move", file, "--to", node)
        assert (found["ok"], found["pages"]) == (True, PAGES)
        assert nodes_of_file(file) == ([node] * PAGES, total)
        assert movepages("where", file)["bytes_per_node"] == {str(node): PAGES * PAGE}
    found = movepages("move", file, "--to", f"interleave:{here},{there}")
    assert found["moved"] == PAGES // 2
    assert nodes_of_file(file) == ([here, there] * (PAGES // 2), total)


def test_a_dry_run_moves_nothing(file, two_nodes):
    here, there = two_nodes
    movepages("move", file, "--to", here)
    found = movepages("move", file, "--to", there, "--dry-run")
    assert found["flows"] == [{"from": here, "to": there, "nbytes": PAGES * PAGE}]
    assert set(nodes_of_file(file)[0]) == {here}


def test_a_file_that_another_process_has_mapped(file, two_nodes, need_root):
    here, there = two_nodes
    movepages("move", file, "--to", here)

    def map_it():
        map_it.kept = np.memmap(file, np.uint8, "r")
        return int(map_it.kept.sum())

    with processes.child(map_it):
        found = movepages("move", file, "--to", there, status=1)
        assert found["failures"] == {"EACCES": PAGES}
        assert movepages("move", file, "--to", there, "--all")["moved"] == PAGES
    assert set(nodes_of_file(file)[0]) == {there}


def test_small_files_of_a_directory_take_turns(disk, two_nodes):
    folder = disk / "many"
    folder.mkdir()
    paths = [folder / f"{number}" for number in range(6)]
    for path in paths:
        path.write_bytes(bytes(PAGE))
    os.sync()
    layout = f"interleave:{two_nodes[0]},{two_nodes[1]}"
    assert movepages("move", folder, "--to", layout)["ok"]
    assert [nodes_of_file(path)[0] for path in paths] == [[node] for node in [*two_nodes] * 3]


def test_what_is_not_in_memory_is_read_to_its_node(file, two_nodes):
    with open(file, "rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert movepages("where", file)["absent"] == PAGES * PAGE
    assert movepages("move", file, "--to", two_nodes[1])["absent"] == PAGES
    assert movepages("move", file, "--to", two_nodes[1], "--read")["ok"]
    assert set(nodes_of_file(file)[0]) == {two_nodes[1]}


def test_tensors_have_a_part_on_each_node(disk, two_nodes):
    here, there = two_nodes
    arrays = {f"layers.{i}": np.full(16 * PAGE, i, np.float32) for i in range(3)}
    path = safetensors_files.write(disk / "model.safetensors", arrays)
    os.sync()
    movepages("move", path, "--to", here)
    layout = f"blocks:{here},{there}"
    planned = movepages("move", path, "--tensors", "--to", layout, "--dry-run", status=1)
    found = movepages("move", path, "--tensors", "--to", layout, status=1)
    # Two tensors that want different nodes share each of the two borders within the data.
    assert (found["torn"], planned["torn"], found["ok"]) == (2, 2, False)
    (one,) = found["files"]
    assert [each["name"] for each in one["tensors"]] == list(arrays)
    for each in one["tensors"]:
        # The pages at the borders of tensors belong to two of them.
        counts = [each["bytes_per_node"][str(node)] for node in two_nodes]
        assert min(counts) >= 31 * PAGE
    movepages("move", path, "--tensor", "layers.1", "--to", there)
    start = path.stat().st_size - sum(array.nbytes for array in arrays.values())
    for index, array in enumerate(arrays.values()):
        placed, total = nodes_of_file(path, start + index * array.nbytes, array.nbytes)
        assert (placed[1], placed[-2]) == (there if index == 1 else here, there)
        assert (total > 0) == (index > 0)
    path.unlink()
