"""A process with little memory gets MemoryError, and nothing else."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

import movepages as mp
from movepages import _core
from support import memory

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


def in_a_new_process(call):
    """Return the outcomes of a call of this module in a process of its own.

    Here, what earlier tests have freed would be room enough.
    """
    folders = [str(each) for each in Path(__file__).parents[:2]]
    code = f"import sys; sys.path[:0] = {folders}\nimport test_little_memory as t; print(*t.{call})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def file_read(path):
    return outcomes(lambda: _core.read_file(path), 200 * MIB, 10)


def test_a_file_that_does_not_fit(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(40 * MIB))
    assert in_a_new_process(f"file_read({str(path)!r})") == {"MemoryError", "returned"}


def list_of_pages():
    pages = np.zeros(10 * MIB, np.uintp)
    # Python's import system may raise OSError instead.
    mp.move_pages(pages[:1])
    return outcomes(lambda: mp.move_pages(pages), 400 * MIB, 4)


def test_a_list_of_pages_that_does_not_fit():
    assert in_a_new_process("list_of_pages()") == {"MemoryError", "returned"}
