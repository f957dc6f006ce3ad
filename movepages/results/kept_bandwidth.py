"""Measured bandwidths that are kept in the user's cache folder for later processes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ..system.machine_key import MachineKey
from ..system.refusals import Refusal
from .bandwidth import Bandwidth

_PREFIX = "bandwidth-"
# What this process measured last, for where the folder cannot be written to.
_measured_here: list[Bandwidth] = []


def kept_bandwidth(key: MachineKey) -> Bandwidth | None:
    """Return the figures kept for a machine; None if there are none, or their file is damaged."""
    file, found = kept_file(key), None
    if file is not None:
        with Refusal(ValueError):
            found = Bandwidth.load(file)
    return found if found is not None and found.machine == key else None


def bandwidth_of_host(key: MachineKey) -> Bandwidth | None:
    """Return the figures kept for a machine, or those of most nodes that hold for other CPUs of it.

    A thread that is bound to some CPUs does not find those that were measured with all of them.
    """
    file, exact = kept_file(key), kept_bandwidth(key)
    others = list(_measured_here)
    if exact is not None or file is None:
        return exact or _best(others, key)
    with Refusal(ValueError):
        for name in os.listdir(file.parent):
            if name.startswith(_PREFIX):
                with Refusal(ValueError):
                    others.append(Bandwidth.load(file.parent / name))
    return _best(others, key)


def _best(found: list[Bandwidth], key: MachineKey) -> Bandwidth | None:
    same = [each for each in found if each.machine[:3] == key[:3]]
    return max(same, key=lambda each: (each.read.size, each.measured_at), default=None)


def keep_bandwidth(made: Bandwidth) -> None:
    """Keep figures for later processes, if the user's cache folder can be written to."""
    _measured_here[:] = [made]
    file = kept_file(made.machine)
    if file is not None:
        with Refusal():
            file.parent.mkdir(0o700, parents=True, exist_ok=True)
            made.save(file)


def kept_file(key: MachineKey) -> Path | None:
    """Return the name of the file for a machine; None if the user has no home.

    Each set of CPUs has a file of its own, so that processes do not replace each other's.
    """
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.expanduser("~/.cache")
    if not os.path.isabs(folder):
        return None
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    return Path(folder) / "movepages" / f"{_PREFIX}{digest}.json"
