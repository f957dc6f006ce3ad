"""Areas of memory that a random walk changes and moves, and what is known of their pages.

Each lies alone in a window of addresses, so that it can be unmapped, mapped anew and moved there.
"""

import contextlib
import ctypes
import mmap
import os

import numpy as np

from . import memory, system
from .kinds_base import CannotMakeError
from .memory import PAGE

_WINDOW, _WINDOWS = 1 << 30, 0x3100_0000_0000
_MAP_FIXED = 0x10
_MREMAP_MAYMOVE_FIXED = 3
_WORDS = PAGE // 8
_PROT_RW = mmap.PROT_READ | mmap.PROT_WRITE

system.libc.mremap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p,
)  # fmt: skip
system.libc.mremap.restype = ctypes.c_void_p


class Area:
    """Memory of one kind at first; its pages become of many kinds.

    Attributes
    ----------
    array : ndarray of uint8
        The whole memory.
    shadow : ndarray of uint8
        Its expected contents.
    open, gone, guarded, pinned, locked : ndarray of bool
        Whether each page may be read and written, is unmapped, a guard region, pinned, or locked.
    shared : bool
        Whether pages keep their contents when they are given up.
    whole : int
        Number of its pages that can only be changed together.
    mixed : bool
        Whether it may have huge pages.
    kept : object
        Object that must live as long as the area does.
    """

    def __init__(
        self, name: str, window: int, nbytes: int, *, fd: int = -1, flags: int = 0
    ) -> None:
        self.name, self.fd, self.shared = name, fd, fd >= 0
        self.whole, self.mixed = 1, True
        self.kept: object = None
        self.window = _WINDOWS + window * _WINDOW
        self.pages = nbytes // PAGE
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.flags = flags | (mmap.MAP_SHARED if self.shared else private)
        self.array = self.map(self.window + _WINDOW // 4, 0, self.pages)
        self.shadow = np.zeros(nbytes, np.uint8)
        self.open = np.ones(self.pages, bool)
        self.gone, self.guarded, self.pinned, self.locked = np.zeros((4, self.pages), bool)
        self.held: dict[str, contextlib.ExitStack] = {}

    def map(self, address: int, first: int, count: int) -> np.ndarray:
        """Map pages of the area at an address."""
        how = self.flags | _MAP_FIXED
        found = system.libc.mmap(address, count * PAGE, _PROT_RW, how, self.fd, first * PAGE)
        if found != address:
            raise CannotMakeError(f"mmap: {os.strerror(ctypes.get_errno())}")
        return np.ctypeslib.as_array((ctypes.c_uint8 * (count * PAGE)).from_address(address))

    @property
    def addresses(self) -> np.ndarray:
        """Address of each page."""
        return memory.pages_of(self.array)

    def part(self, first: int, last: int) -> np.ndarray:
        """Return the memory of some of its pages."""
        return self.array[first * PAGE : last * PAGE]

    def fill(self, node: int) -> None:
        """Fill all of it on a node; the kernel chooses where later pages go."""
        memory.bind(self.array, node)
        self.array.view(np.uint64)[:] = (
            np.arange(len(self.array) // 8, dtype=np.uint64) * 2654435761
        )
        self.shadow[:] = self.array
        where = self.array.ctypes.data, self.array.nbytes
        system.syscall(system.SYS_MBIND, *where, system.MPOL_DEFAULT, None, 0, 0)

    def rewrite(self, first: int, last: int, value: int) -> None:
        """Write to each page that may be written."""
        which = first + np.flatnonzero((self.open & ~self.gone)[first:last])
        for array in (self.array, self.shadow):
            words = array.view(np.uint64).reshape(-1, _WORDS)
            words[which[:, None], [0, _WORDS - 1]] = (
                np.uint64(value) + which.astype(np.uint64)[:, None]
            )

    def forget(self, first: int, last: int) -> None:
        """Note that pages were given up."""
        if not self.shared:
            self.shadow[first * PAGE : last * PAGE] = 0

    def differing(self, there: np.ndarray, *, whole: bool) -> np.ndarray:
        """Return which present pages hold something else than they should."""
        which = np.flatnonzero(there & self.open & ~self.gone)
        words = slice(None) if whole else slice(None, None, _WORDS - 1)
        mine, right = (
            each.view(np.uint64).reshape(-1, _WORDS)[which, words]
            for each in (self.array, self.shadow)
        )
        return which[(mine != right).any(axis=1)]

    def move_addresses(self, offset: int) -> None:
        """Move all of it to another address of its window, `offset` pages from the start."""
        new = self.window + (offset * PAGE) + (_WINDOW // 2 if offset % 2 else _WINDOW // 4)
        old = self.array.ctypes.data
        if abs(new - old) < self.array.nbytes:
            return
        found = system.libc.mremap(
            old, self.array.nbytes, self.array.nbytes, _MREMAP_MAYMOVE_FIXED, new
        )
        if found != new:
            raise CannotMakeError(f"mremap: {os.strerror(ctypes.get_errno())}")
        self.array = np.ctypeslib.as_array((ctypes.c_uint8 * self.array.nbytes).from_address(new))

    def release(self, name: str) -> None:
        """Release whatever holds its pages under this name."""
        self.held.pop(name, contextlib.ExitStack()).close()

    def close(self) -> None:
        """Unmap the area."""
        for name in list(self.held):
            self.release(name)
        system.succeed(system.libc.munmap(self.window, _WINDOW))
