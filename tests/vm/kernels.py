"""The kernels that the guests boot: fetched once into a cache, then found there."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEFAULT_METAS = ("linux-image-amd64", "linux-image-6.12-amd64")
INSTALLER = Path(__file__).with_name("install-kernels.sh")


class KernelError(Exception):
    """A kernel is not available; the message says which and why."""


@dataclass(frozen=True)
class Kernel:
    """A bootable kernel: its version, and the file that QEMU loads."""

    version: str
    image: Path


def cache_folder() -> Path:
    """Return the folder where unpacked kernels stay between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "movepages-lab"


def parse_installed(output: str) -> list[Kernel]:
    """Return the kernels in the installer's lines, each once even if two meta packages name it."""
    kernels: dict[str, Kernel] = {}
    for line in output.splitlines():
        words = line.split(maxsplit=2)
        if len(words) != 3:
            msg = f"{INSTALLER.name} printed {line!r}; expected META VERSION VMLINUZ"
            raise KernelError(msg)
        _, version, image = words
        kernels[version] = Kernel(version, Path(image))
    return list(kernels.values())


def install(metas: list[str], cache: Path) -> list[Kernel]:
    """Fetch the kernels behind Debian's meta packages, unless the cache holds them.

    Parameters
    ----------
    metas : list of str
        Meta packages, such as ``linux-image-amd64``, or ``newest``.
    cache : Path
        Folder in which the packages are unpacked.

    Returns
    -------
    list of Kernel
        The kernels in the order of `metas`, without repetition.
    """
    command = [str(INSTALLER), str(cache), *metas]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        msg = f"{INSTALLER.name} ended with status {done.returncode} for {' '.join(metas)}"
        raise KernelError(msg)
    return parse_installed(done.stdout)
