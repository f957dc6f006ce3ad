"""Objects of libraries move: get_mempolicy(2) finds their pages, with their bytes unchanged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.kinds_base import KERNEL

TESTS = Path(__file__).parents[1]
LIBRARIES = sorted(
    file.stem.removeprefix("kinds_") for file in (TESTS / "libraries").glob("kinds_*.py")
)


# The wheels of these need AVX. The processors of guests have it if the lab is asked for it.
NEED_AVX = {"jax", "polars"}
# The import of each of the others takes a minute in a guest.
BY_DEFAULT = {"arrow", "cffi", "pandas", "pil", "torch"}


def pytest_generate_tests(metafunc):
    every = metafunc.config.getoption("every_library")
    chosen = set(LIBRARIES) if every else BY_DEFAULT
    if " avx " not in Path("/proc/cpuinfo").read_text():
        chosen -= NEED_AVX
    metafunc.parametrize("library", sorted(chosen))


@pytest.fixture(scope="module")
def moved(request):
    """What a process prints that moves the objects of all chosen libraries, by library.

    One process, because the import of what several of them need takes long in a guest.
    """
    tests = (each for each in request.session.items if each.path == request.path)
    program = TESTS / "numa" / "move_kinds.py"
    done = subprocess.run(
        [sys.executable, "-P", program, *(each.callspec.params["library"] for each in tests)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    said = dict(re.findall(r"^(\w+): (needs .*|moved .*)$", done.stdout, re.MULTILINE))
    return said, done.returncode, f"{done.stdout}\n{done.stderr}"


@pytest.mark.skipif(
    KERNEL < (6, 7), reason="tried on newer kernels: these imports take minutes in a guest"
)
def test_every_kind_of_object_moves(two_nodes, library, moved):
    said, status, all_of_it = moved
    assert (library in said, status) == (True, 0), all_of_it
    if said[library].startswith("needs"):
        pytest.skip(f"{said[library]}, which the extra `libraries` installs")
    assert re.fullmatch(r"moved [1-9]\d* kinds", said[library])
