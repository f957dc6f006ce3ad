"""Which engine is chosen, forced and shown."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, processes, sandboxes, system, witness
from support.sandboxes import engine
from support.seccomp import forbid


def test_move_pages_is_used_where_it_is_allowed():
    assert _core.engine() == mp.preflight().engine == "move_pages"
    assert mp.where(np.ones(10)).source == "move_pages"


@pytest.mark.parametrize("name", ["move_pages", "policy", "proc"])
def test_the_environment_forces_an_engine(name):
    code = "import movepages as mp; print(mp.preflight().engine)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "MOVEPAGES_ENGINE": name},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (f"{name}\n", "")


@pytest.mark.parametrize(
    "call", ["mp.where(np.ones(9))", "mp.move(np.ones(9), 0)", "mp.preflight()"]
)
def test_an_unknown_engine_is_refused(call):
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import numpy as np, movepages as mp; {call}"],
        env={**os.environ, "MOVEPAGES_ENGINE": "fast"},
        capture_output=True,
        text=True,
    )
    expected = "MOVEPAGES_ENGINE: expected one of move_pages, policy, proc, got 'fast'"
    assert done.stderr.splitlines()[-1] == f"ValueError: {expected}"


def closing(a, *calls):
    """Return the source of where() before and after each call is forbidden."""
    found = [mp.where(a).source]
    for call in calls:
        forbid(errno.EPERM, call)
        found.append(mp.where(a).source)
    return found


def test_a_sandbox_that_closes_later():
    a = memory.anonymous(4 * memory.PAGE)
    memory.touch(a)
    calls = system.SYS_MOVE_PAGES, system.SYS_GET_MEMPOLICY
    found = processes.run_as(None, closing, a, *calls)
    assert found == ["move_pages", "policy", "proc"]


@pytest.mark.parametrize("size", [1, 4, 100, 20_000])
def test_the_engines_find_the_same(size):
    a = memory.anonymous(size * memory.PAGE)
    a[: a.nbytes // 2 : memory.PAGE] = 1
    assert not a[a.nbytes // 2 :: 7 * memory.PAGE].any()
    asked = mp.where(a)
    with engine("policy"):
        found = mp.where(a)
    with engine("proc"):
        partly = mp.where(a)
    assert (found.source, partly.source) == ("policy", "proc")
    assert found == asked
    assert found.absent_reasons == asked.absent_reasons
    assert partly.absent_bytes == asked.absent_bytes
    known = partly.status != mp.PageStatus.ENODATA.value
    assert np.array_equal(partly.status[known], asked.status[known])


@pytest.mark.skipif(not memory.huge_page_size(), reason="needs transparent huge pages")
@pytest.mark.parametrize("name", ["move_pages", "policy", "proc"])
def test_the_engines_find_the_same_huge_pages(name):
    a = memory.anonymous(4 * memory.huge_page_size(), huge=True)
    memory.touch(a)
    # Two looks follow, between which khugepaged could join small pages.
    memory.keep_as_it_is(a)
    with engine(name):
        found = mp.where(a).huge_bytes
    # None: before Linux 6.7.
    assert found in (None, witness.huge_bytes(a))


def test_the_source_is_saved(tmp_path):
    a = np.ones(10)
    for name in ("move_pages", "policy", "proc"):
        with engine(name):
            mp.where(a).save(tmp_path / name)
        assert mp.Placement.load(tmp_path / name).source == name


def refused_move():
    a = memory.anonymous(4 * memory.PAGE)
    memory.touch(a)
    sandboxes.enter("docker")
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move_pages(memory.pages_of(a), 0)
    return caught.value, mp.preflight()


def test_a_move_that_nothing_allows_says_what_to_allow():
    error, report = processes.run_as(None, refused_move)
    assert isinstance(error, PermissionError)
    assert "start the container with --cap-add SYS_NICE" in str(error)
    assert (report.engine, report.can_query, report.can_move) == ("proc", True, False)
    assert "--cap-add SYS_NICE" in report.check("engine").remedy
