"""The privileges of a process, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .._core import read_file
from .refusals import Refusal

# include/linux/proc_ns.h
_INITIAL_USER_NAMESPACE = "user:[4026531837]"


def has_capability(number: int) -> bool | None:
    """Tell whether this thread has a capability of linux/capability.h; None if that is hidden."""
    with Refusal():
        status = read_file("/proc/thread-self/status")
        found = re.search(rb"^CapEff:\s*(\w+)", status, re.MULTILINE)
        return None if found is None else bool(int(found[1], 16) >> number & 1)
    return None


def initial_user_namespace(process: Path) -> bool | None:
    """Tell whether a process is in the initial user namespace; None if that is hidden."""
    with Refusal():
        return os.readlink(process / "ns/user") == _INITIAL_USER_NAMESPACE
    uid_map = text_if_any(process / "uid_map")
    return None if uid_map is None else uid_map.split() == ["0", "0", "4294967295"]


def text_if_any(path: Path) -> str | None:
    """Return the stripped text of a file; None if it cannot be read."""
    with Refusal():
        # Python imports other codecs at first use. That import fails in a process that has given
        # up access to Python's own files.
        return path.read_text(encoding="utf-8", errors="backslashreplace").strip()
    return None
