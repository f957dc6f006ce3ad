"""movepages.mpi with real ranks, started by mpiexec."""

import doctest
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import movepages as mp

pytestmark = pytest.mark.host
pytest.importorskip("mpi4py", reason="needs the extra mpi")

RANKS = 4
PROGRAM = """
import json, sys
import numpy as np
from mpi4py import MPI
import movepages as mp
import movepages.mpi as cluster

ranks = MPI.COMM_WORLD
own = np.full((128, 1024), ranks.rank, float)
result = cluster.place(own)
survey = cluster.survey(own)

# A window shared by all ranks: each places and writes its part before the others read it.
size = 64 * 4096
window = MPI.Win.Allocate_shared(size, 1, comm=ranks)
part = np.ndarray(size, np.uint8, buffer=window.tomemory()[:size])
part[:] = ranks.rank
placed = cluster.place(part)
shared = cluster.survey(part, ranks)
ranks.Barrier()
neighbour = (ranks.rank + 1) % ranks.size
memory, _ = window.Shared_query(neighbour)
seen = int(np.frombuffer(memory, np.uint8)[0])
del part, memory
window.Free()

everybody = ranks.gather(
    {
        "ok": result.ok and placed.ok,
        "same": [str(survey), str(shared)],
        "seen": seen,
        "pages": placed.pages,
    }
)
if ranks.rank == 0:
    members = [
        {"name": m.name, "pid": m.pid, "bytes": sum(m.bytes_per_node.values()),
         "misplaced": m.misplaced_bytes}
        for m in survey
    ]
    print(json.dumps({"everybody": everybody, "members": members}))
"""


def mpiexec():
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not found:
        pytest.skip("needs mpiexec, for example from the package mpich")
    return found


def run(program, tmp_path, count=RANKS):
    file = tmp_path / "program.py"
    file.write_text(program)
    # Open MPI requires these to run as root, and to start more ranks than cores.
    allowed = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        # This component complains on machines without such a network.
        "OMPI_MCA_osc": "^ucx",
    }
    return subprocess.run(
        [mpiexec(), "-n", str(count), sys.executable, "-P", str(file)],
        env=os.environ | allowed,
        capture_output=True,
        text=True,
        # Ranks that wait use a CPU each: they take turns on a machine with fewer.
        timeout=900,
    )


def test_ranks_place_their_arrays_and_their_parts_of_a_window(tmp_path):
    done = run(PROGRAM, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [each["ok"] for each in found["everybody"]] == [True] * RANKS
    assert [each["seen"] for each in found["everybody"]] == [1, 2, 3, 0]
    # All ranks have the same tables.
    assert len({tuple(each["same"]) for each in found["everybody"]}) == 1
    assert [member["name"] for member in found["members"]] == [f"rank {i}" for i in range(RANKS)]
    assert len({member["pid"] for member in found["members"]}) == RANKS
    assert all(member["bytes"] == 128 * 1024 * 8 for member in found["members"])
    assert all(member["misplaced"] == 0 for member in found["members"])


def test_failing_rank_is_reported_and_blocks_no_other(tmp_path):
    program = """
import numpy as np
from mpi4py import MPI
import movepages.mpi as cluster

class Broken:
    @property
    def __array_interface__(self):
        raise RuntimeError("gone")

rank = MPI.COMM_WORLD.rank
survey = cluster.survey([np.ones(1000), object(), Broken()][rank])
if rank == 0:
    print(survey)
"""
    done = run(program, tmp_path, 3)
    assert (done.returncode, done.stderr) == (0, "")
    _, well, *others = done.stdout.splitlines()
    assert well.endswith("-")
    assert "object" in others[0]
    assert others[1].endswith("RuntimeError: gone")


def test_examples():
    from mpi4py import MPI

    names = {"np": pytest.importorskip("numpy"), "mp": mp, "MPI": MPI}
    assert doctest.testmod(importlib.import_module("movepages.mpi"), extraglobs=names).failed == 0
