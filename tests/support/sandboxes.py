"""The system calls that container runtimes refuse, of those that find and move pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSYS, EPERM

from movepages import _core

from . import system
from .seccomp import forbid

_POLICY_CALLS = (
    system.SYS_GET_MEMPOLICY,
    system.SYS_SET_MEMPOLICY,
    system.SYS_MBIND,
    system.SYS_SET_MEMPOLICY_HOME_NODE,
)
_MOVES = (system.SYS_MOVE_PAGES, system.SYS_MIGRATE_PAGES)

# Source: moby, profiles/seccomp/default.json. move_pages is in no group, and the policy calls are
# in that for CAP_SYS_NICE. The profiles of containerd and Podman are alike.
SANDBOXES = {
    "docker": (EPERM, *_MOVES, *_POLICY_CALLS),
    "docker with SYS_NICE": (EPERM, *_MOVES),
    "gvisor": (ENOSYS, *_MOVES, *_POLICY_CALLS),
}


def enter(name: str) -> None:
    """Refuse in this process what a sandbox refuses, permanently."""
    forbid(*SANDBOXES[name])


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Use an engine inside the block."""
    before = _core.engine()
    _core.use_engine(name)
    try:
        yield
    finally:
        _core.use_engine(before)
