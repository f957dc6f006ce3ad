"""The logger "movepages": what it tells, and that nobody pays for it who does not want it."""

import logging
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp
from support import memory

pytestmark = pytest.mark.host

MIB = 1 << 20
NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def lines(caplog):
    """Yield a function that returns what was logged so far, as pairs of level and text."""
    caplog.set_level(logging.DEBUG, logger="movepages")
    return lambda: [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "movepages"
    ]


def test_where_tells_what_it_found(lines):
    found = mp.where(memory.anonymous(MIB, NODE))
    assert lines() == [("DEBUG", f"where: {found}, by {found.source}")]


def test_move_tells_what_it_did(lines):
    result = mp.move(memory.anonymous(MIB, NODE), NODE)
    ((level, text),) = lines()
    assert (level, text.partition(", in ")[0]) == ("INFO", f"move: {result}")


def test_a_move_in_the_background_tells_it_too(lines):
    mp.move(memory.anonymous(MIB, NODE), NODE, background=True).result()
    assert [level for level, _ in lines()] == ["INFO"]


def test_a_move_that_fails_raises_and_tells_nothing(lines):
    with pytest.raises(mp.MovePagesError):
        mp.move(memory.anonymous(MIB, NODE), 1022)
    assert lines() == []


def test_replicas_and_localization(lines):
    with mp.replicate(np.ones(MIB), [NODE]) as copies:
        assert lines()[-1] == ("INFO", f"replicate: {copies!r}")
    done = mp.process().localize(mp.topology().cpu_nodes[0], cpus=False, memory=False)
    assert lines()[-1] == ("INFO", f"localize: {done!r}")


def test_the_line_is_that_of_the_package(caplog):
    caplog.set_level(logging.DEBUG, logger="movepages")
    mp.where(memory.anonymous(MIB, NODE))
    assert caplog.records[-1].pathname.endswith("movepages/query/where.py")


def test_lines_that_are_not_wanted_are_not_formatted(caplog, monkeypatch):
    caplog.set_level(logging.WARNING, logger="movepages")
    monkeypatch.setattr(mp.Placement, "__str__", lambda _self: pytest.fail("formatted"))
    mp.where(memory.anonymous(MIB, NODE))
    assert any(isinstance(each, logging.NullHandler) for each in logged().handlers)


def logged():
    return logging.getLogger("movepages")


def test_logging_is_not_imported():
    code = (
        "import sys, movepages as mp, numpy as np\n"
        f"a = mp.full(1 << 20, 1, np.uint8, node={NODE})\n"
        f"mp.where(a); mp.move(a, {NODE}); mp.collapse(a, progress=None)\n"
        "print('logging' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_nobody_waits_for_the_lock_of_logging_where_nothing_is_logged():
    """An exception of a signal handler may have left it locked, in whichever thread."""
    code = (
        "import logging, threading, numpy as np, movepages as mp\n"
        "logging._acquireLock() if hasattr(logging, '_acquireLock') else logging._lock.acquire()\n"
        f"moved = lambda: (mp.where(np.ones(1 << 18)), mp.move(np.ones(1 << 18), {NODE}))\n"
        "thread = threading.Thread(target=moved, daemon=True)\n"
        "thread.start(); thread.join(300); print(thread.is_alive())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
