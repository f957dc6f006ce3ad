"""A process with little memory gets MemoryError, and nothing else."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, processes

MIB = 1 << 20


def outcomes(call, most, times):
    """Call with more and more spare address space; return the outcome of each call."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    found = []
    for spare in range(0, most, most // times):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * memory.PAGE
        resource.setrlimit(resource.RLIMIT_AS, (used + spare, hard))
        try:
            call()
            found.append("returned")
        except Exception as error:
            found.append(type(error).__name__)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return found


@pytest.fixture
def large_file(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(40 * MIB))
    return str(path)


def test_a_file_that_does_not_fit(large_file):
    found = processes.run_as(None, outcomes, lambda: _core.read_file(large_file), 200 * MIB, 10)
    assert set(found) == {"MemoryError", "returned"}


def list_of_pages():
    pages = np.zeros(10 * MIB, np.uintp)
    # Python's import system may raise OSError instead.
    mp.move_pages(pages[:1])
    return outcomes(lambda: mp.move_pages(pages), 400 * MIB, 4)


def test_a_list_of_pages_that_does_not_fit():
    # In a process of its own: here, what earlier tests have freed would be room enough.
    folders = [str(each) for each in Path(__file__).parents[:2]]
    code = (
        f"import sys; sys.path[:0] = {folders}\n"
        "import test_little_memory as t; print(*t.list_of_pages())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"MemoryError", "returned"}
