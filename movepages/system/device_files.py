"""The block device that a file lies on."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .refusals import Refusal, is_there
from .sysfs import TopologyError, read

_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "hugetlbfs", "proc", "sysfs")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "gpfs", "beegfs", "fuse.sshfs")
_HOST = ("9p", "virtiofs")


def block_device_of(path: str, root: Path) -> Path:
    """Return the link of /sys/dev/block for the device that a file lies on.

    Raises
    ------
    ValueError
        There is no such file, or it lies on no block device; the message says why not.
    """
    with Refusal() as refusal:
        device = os.stat(path).st_dev
    if refusal.error:
        raise ValueError(f"device: {path!r}: {refusal.why}") from refusal.error
    link = root / f"dev/block/{os.major(device)}:{os.minor(device)}"
    if is_there(link):
        return link
    kind, source = _mount_of(os.path.realpath(path), root.parent / "proc/self/mountinfo")
    # Subvolumes of btrfs have numbers of their own.
    if source.startswith("/dev/") and is_there(root / "class/block" / _base(source)):
        return root / "class/block" / _base(source)
    raise ValueError(f"device: {path!r} is on no block device: {_why(kind)}")


def _base(source: str) -> str:
    return os.path.basename(os.path.realpath(source))


def _why(kind: str) -> str:
    if kind == "overlay":
        return (
            "an overlay shows files of other file systems, as containers have; pass a path on a "
            "volume, or the name of the disk"
        )
    if kind in _MEMORY:
        return f"files of {kind} are in memory; 'movepages where FILE' shows on which nodes"
    if kind in _NETWORK:
        return f"{kind} brings files over a network; pass the network interface"
    if kind in _HOST:
        return f"{kind} brings files of the machine below this one; pass the name of a device"
    return f"its file system is {kind or 'unknown'}; pass the name of the disk"


def _mount_of(path: str, mountinfo: Path) -> tuple[str, str]:
    """Return the type and the source of the file system that a path is in."""
    best, found = -1, ("", "")
    try:
        lines = read(mountinfo).splitlines()
    except TopologyError:
        return found
    for line in lines:
        before, _, after = line.partition(" - ")
        point, told = before.split(" ")[4:5], after.split(" ")
        if not point or len(told) < 2:
            continue
        at = _unescaped(point[0])
        inside = path == at or path.startswith(at.rstrip("/") + "/")
        # Of several mounts in one place, the last one is on top.
        if inside and len(at) >= best:
            best, found = len(at), (told[0], _unescaped(told[1]))
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
