"""Processes confined to some of the nodes, by a cgroup v2 cpuset."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def confinement(*nodes: int) -> Iterator[Path]:
    """Make a cgroup whose processes may have memory on these nodes only; `join` it in a child."""
    group = _ROOT / f"movepages-test-{os.getpid()}-{'-'.join(map(str, nodes))}"
    try:
        (_ROOT / "cgroup.subtree_control").write_text("+cpuset")
        group.mkdir()
        (group / "cpuset.mems").write_text(",".join(map(str, nodes)))
    except OSError as error:
        pytest.skip(f"needs a cgroup v2 with the cpuset controller at {_ROOT}: {error}")
    try:
        yield group
    finally:
        # A process that was just reaped may still be leaving.
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                break


def join(group: Path) -> None:
    """Confine this process, for good."""
    (group / "cgroup.procs").write_text("0")
