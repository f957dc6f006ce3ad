"""From what names a device to the device: names of sysfs and /dev, PCI addresses, CUDA, files."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from .cuda import cuda_addresses, current
from .device_files import block_device_of
from .device_tree import parts_of, real
from .devices import CLASSES, Device, device_at
from .nvidia_files import read_gpus
from .pci_address import pci_address
from .refusals import Refusal, is_there
from .sysfs import MissingFileError, names_in, read

# A loop device of a file on a loop device, a volume of a RAID of partitions: more is an error.
_DEEPEST = 16
_LIVE = Path("/sys")


def find_device(given: object, root: Path) -> Device:
    """Return the device that is meant: see `near`.

    Raises
    ------
    TypeError, ValueError
        This names no device, or several that are near different nodes.
    TopologyError
        A file of sysfs or procfs is missing or malformed.
    """
    if isinstance(given, Device):
        return given
    by_path = isinstance(given, os.PathLike)
    name = os.fsdecode(given) if isinstance(given, (str, os.PathLike)) else _of_torch(given)
    if by_path or os.sep in name:
        if not _is_device_file(name):
            return _of_file(name, root)
        name = os.path.basename(os.path.realpath(name))
    if number := re.fullmatch("cuda(?::([0-9]{1,9}))?", name):
        index = current() if number[1] is None else int(number[1])
        addresses = cuda_addresses(index, root.parent / "proc", ask=root == _LIVE)
        gpus = [(each, "gpu", _function(each, root)) for each in addresses]
        # Only CUDA knows which of several is the fastest, and so the first.
        return _together(name, "gpu", gpus, advice=" or set CUDA_DEVICE_ORDER=PCI_BUS_ID")
    if re.fullmatch(r"([0-9a-fA-F]+:)?[0-9a-fA-F]+:[0-9a-fA-F]+\.[0-9]", name):
        return _resolved(name, "pci", _function(name, root))
    found = _named(name, root)
    if found:
        return found
    if is_there(name):
        return _of_file(name, root)
    raise ValueError(_unknown(name, root))


def _of_torch(given: object) -> str:
    """Return "cuda:0" for a torch.device of this kind; raise for everything else."""
    if type(given).__module__ == "torch" and type(given).__name__ == "device":
        if given.type == "cuda":  # type: ignore[attr-defined]
            index = given.index  # type: ignore[attr-defined]
            return "cuda" if index is None else f"cuda:{index}"
        raise TypeError(f"device: expected a cuda device, got {given!r}; for CPUs, use local()")
    if hasattr(given, "__index__"):
        raise TypeError(
            f"device: {given!r} is a number; a node is itself a target: move(a, {given!r}). For "
            f"CUDA's number of a GPU, write 'cuda:{given!r}'"
        )
    raise TypeError(
        "device: expected a name such as 'eth0', 'nvme0n1', 'cuda:0' or '0000:3b:00.0', a path, or "
        f"a torch.device, got a {type(given).__name__}"
    )


def _is_device_file(name: str) -> bool:
    with Refusal():
        return stat.S_IFMT(os.stat(name).st_mode) in (stat.S_IFBLK, stat.S_IFCHR)
    # A container may have a device in sysfs and not in /dev.
    return name.startswith("/dev/")


def _named(name: str, root: Path) -> Device | None:
    """Return the device of this name in a class of sysfs, or in NVIDIA's driver."""
    if name in ("", ".", ".."):
        return None
    for each, kind in CLASSES.items():
        if is_there(root / "class" / each / name):
            return _resolved(name, kind, real(root / "class" / each / name))
    for gpu in read_gpus(root.parent / "proc"):
        if name == f"nvidia{gpu.minor}":
            return _resolved(name, "gpu", _function(gpu.pci, root))
    return None


def _of_file(path: str, root: Path) -> Device:
    directory = real(block_device_of(path, root))
    return _resolved(directory.name, "block", directory)


def _function(address: str, root: Path) -> Path:
    """Return the directory of a PCI function; without a domain, the only one with that number."""
    base = root / "bus/pci/devices"
    wanted = pci_address(address)
    if is_there(base / wanted):
        return real(base / wanted)
    others = [each for each in names_in(base) if each.endswith(wanted[4:])]
    if address.count(":") == 1 and len(others) == 1:
        return real(base / others[0])
    raise ValueError(_unknown(wanted, root))


def _resolved(name: str, kind: str, directory: Path, depth: int = 0) -> Device:
    found = device_at(name, kind, directory)
    if found:
        return found
    parts = [(part.name, kind, part) for part in parts_of(directory)] or [
        (name, kind, real(block_device_of(file, root_of(directory))))
        for file in _backing_file(directory)
    ]
    if not parts or depth == _DEEPEST:
        raise ValueError(
            f"device: {name!r} is virtual and has no hardware below it, so it is near no node"
        )
    return _together(name, kind, parts, depth + 1)


def _together(
    name: str, kind: str, parts: list[tuple[str, str, Path]], depth: int = 0, advice: str = ""
) -> Device:
    """Return the device that consists of others, if all of them are near one node."""
    found = [_resolved(*part, depth) for part in parts]
    first = found[0]
    if any(each.node != first.node for each in found):
        each_node = ", ".join(
            f"{each.name!r} ({'unknown' if each.node is None else f'node {each.node}'})"
            for each in found
        )
        raise ValueError(
            f"device: {name!r} is not near one node, but {each_node}; pass one of them{advice}"
        )
    pci = first.pci if len({each.pci for each in found}) == 1 else ""
    return Device(name, kind, first.node, pci, first.driver if pci else "")


def _backing_file(directory: Path) -> Iterator[str]:
    """Yield the file that a loop device shows."""
    for each in (directory, directory.parent):
        try:
            yield read(each / "loop/backing_file").rstrip("\n")
            return
        except MissingFileError:
            continue


def root_of(directory: Path) -> Path:
    """Return where the sysfs of a device's directory is mounted."""
    return next(each.parent for each in directory.parents if each.name == "devices")


def _unknown(name: str, root: Path) -> str:
    known = {each for kind in CLASSES for each in names_in(root / "class" / kind)}
    known.update(f"nvidia{gpu.minor}" for gpu in read_gpus(root.parent / "proc"))
    known.update(names_in(root / "bus/pci/devices"))
    alike = difflib.get_close_matches(os.path.basename(name), sorted(known), 3)
    hint = f"did you mean {' or '.join(map(repr, alike))}? " if alike else ""
    return f"device: there is no device {name!r}: {hint}'movepages topology' lists devices"
