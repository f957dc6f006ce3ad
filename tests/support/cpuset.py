"""Processes confined to some of the nodes, by a cgroup v2 cpuset."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import PATIENCE_S

_ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def confinement(*nodes: int) -> Iterator[Path]:
    """Make a cgroup that allows memory on these nodes only; call `join` in a child to enter it."""
    group = _ROOT / f"movepages-test-{os.getpid()}-{'-'.join(map(str, nodes))}"
    try:
        (_ROOT / "cgroup.subtree_control").write_text("+cpuset")
    except OSError as error:
        pytest.skip(f"needs a cgroup v2 with the cpuset controller at {_ROOT}: {error}")
    group.mkdir()
    try:
        (group / "cpuset.mems").write_text(",".join(map(str, nodes)))
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a cgroup. A process that was just reaped may still be leaving it."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def join(group: Path) -> None:
    """Confine this process, permanently."""
    (group / "cgroup.procs").write_text("0")
