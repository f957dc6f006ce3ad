"""NamedFootprints: the bytes of several named members of one process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from .footprint import Footprint
from .pieces import Pieces

Parted: TypeAlias = "Footprint | Pieces"
Shape: TypeAlias = "tuple[tuple[int, ...], tuple[int, ...]]"

# About the most pages of members that are worked on together.
_PAGES = 1 << 18
# A name that needs no quotes: "weight", "0.weight".
_PLAIN = re.compile(r"\w+(\.\w+)*\Z")


class NamedFootprints:
    """Footprints by name, kept as columns, because there can be very many.

    Parameters
    ----------
    names : sequence of str
        Distinct names.
    address, nbytes : sequence of int
        First byte and length of each contiguous member.
    parted : mapping of int to Footprint or Pieces
        Members that are not contiguous, by index; their `nbytes` above is 0. `Pieces` have no
        strided ones among them.
    shapes : mapping of int to (shape, strides)
        Shape and strides of members with two or more dimensions, by index, for pictures.
    page_size, pid : int
        As in `Footprint`.
    """

    def __init__(
        self,
        names: Sequence[str],
        address: Sequence[int] | npt.NDArray[np.uintp],
        nbytes: Sequence[int] | npt.NDArray[np.int64],
        parted: Mapping[int, Parted],
        shapes: Mapping[int, Shape],
        page_size: int,
        pid: int,
    ) -> None:
        self.names, self.shapes, self.page_size, self.pid = names, shapes, page_size, pid
        self.address, self.nbytes = np.asarray(address, np.uintp), np.asarray(nbytes, np.int64)
        self.parted = parted

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Parted]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Parted:
        parted = self.parted.get(index)
        if parted is not None:
            return parted
        address, nbytes = int(self.address[index]), int(self.nbytes[index])
        return Footprint(address, nbytes, (), self.page_size, self.pid)

    def portion(self, first: int, most: int) -> range:
        """Return the members from one on that are worked on together: this one, up to `most`."""
        stop, room = first + 1, _PAGES
        for index, nbytes in enumerate(self.nbytes[first : first + most].tolist(), first):
            parted = self.parted.get(index)
            room -= parted.pages if parted else nbytes // self.page_size + 2
            if room < 0:
                break
            stop = index + 1
        return range(first, stop)

    def only(self, indices: Sequence[int]) -> NamedFootprints:
        """Return some of the members."""
        parted = {new: self.parted[old] for new, old in _kept(indices, self.parted)}
        shapes = {new: self.shapes[old] for new, old in _kept(indices, self.shapes)}
        return NamedFootprints(
            [self.names[index] for index in indices],
            self.address[indices],
            self.nbytes[indices],
            parted,
            shapes,
            self.page_size,
            self.pid,
        )

    def joined(self) -> NamedFootprints:
        """Return the bytes of all members as one member."""
        size, pid = self.page_size, self.pid
        return NamedFootprints([""], [self.pieces.address], [0], {0: self.pieces}, {}, size, pid)

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of each member by its name."""
        return {name: index for index, name in enumerate(self.names)}

    def find(self, key: object) -> int | None:
        """Return the index of the member with a name, or with a key such as 0 or "price"."""
        if isinstance(key, str) and key in self.index:
            return self.index[key]
        return self.index.get(key_name(key))

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of each member."""
        sizes: list[int] = self.nbytes.tolist()
        for index, each in self.parted.items():
            sizes[index] = each.nbytes
        return sizes

    @cached_property
    def pieces(self) -> Pieces:
        """The bytes of all members, each byte once."""
        if not self.parted:
            return Pieces(self.address, self.nbytes, [], self.page_size, self.pid)
        several = [each.intervals for each in self.parted.values() if isinstance(each, Pieces)]
        return Pieces(
            np.concatenate((self.address, *(begin for begin, _ in several))),
            np.concatenate((self.nbytes, *(nbytes for _, nbytes in several))),
            [each for each in self.parted.values() if isinstance(each, Footprint)],
            self.page_size,
            self.pid,
        )


class ListNames(Sequence[str]):
    """Names of the members of a list, made when they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (f"[{index}]" for index in range(self._count))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        some = range(self._count)[index]
        return f"[{some}]" if isinstance(some, int) else [f"[{each}]" for each in some]


def _kept(indices: Sequence[int], known: Mapping[int, object]) -> Iterator[tuple[int, int]]:
    """Yield new and old index of the members that a mapping knows."""
    return ((new, old) for new, old in enumerate(indices) if old in known)


def key_name(key: object) -> str:
    """Return the name of the member with this key: ``weight``, or ``['a b']`` or ``[3]``."""
    if isinstance(key, str):
        plain = str.__str__(key)
        return plain if _PLAIN.match(plain) else f"[{plain!r}]"
    return f"[{shown(key)}]"


def shown(key: object) -> str:
    """Return a key as Python writes it, without reading memory that it may hold."""
    if isinstance(key, tuple):
        return f"({', '.join(map(shown, key))}{',' * (len(key) == 1)})"
    # As a key or an index, a numpy number finds the same item as the equal Python number. So both
    # have one name, which does not depend on the version of numpy.
    if isinstance(key, np.generic) and key.dtype.kind in "biuf":
        return repr(key.item())
    # To write out a tensor would be to read its memory.
    holds_memory = hasattr(type(key), "__array__") and not isinstance(key, np.generic)
    return type(key).__name__ if holds_memory else repr(key)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Begin the message of an error with the name of a member.

    The error may be of a user's class, raised in a user's function: class and traceback are kept.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if name and error.args and isinstance(error.args[0], str):
            error.args = (f"{name}: {error.args[0]}", *error.args[1:])
        raise
