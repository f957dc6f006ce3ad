"""Free memory brought together, for whoever needs huge pages late in a run."""

import contextlib
from pathlib import Path

_SWITCH = Path("/proc/sys/vm/compact_memory")


def compact() -> None:
    """Have the kernel join the free memory of every node into blocks as large as it can.

    Without such a block on the target, the kernel splits a huge page that it moves. Since Linux
    6.12, the parts that hold zeros alone are then absent. Nothing happens without root.
    """
    with contextlib.suppress(OSError):
        _SWITCH.write_text("1")
