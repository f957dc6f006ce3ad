"""ByName: what is known of the members of an object, made when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TypeVar

from ..pages.named import NamedFootprints

_T = TypeVar("_T", covariant=True)


class ByName(Mapping[str, _T]):
    """A mapping from the name of each member; a key such as 0 or "price" finds it, too."""

    _footprints: NamedFootprints

    @abstractmethod
    def _member(self, index: int) -> _T:
        """Return what is known of one member."""

    def __len__(self) -> int:
        return len(self._footprints)

    def __iter__(self) -> Iterator[str]:
        return iter(self._footprints.names)

    def __contains__(self, key: object) -> bool:
        return self._footprints.find(key) is not None

    def __getitem__(self, key: object) -> _T:
        """Return what is known of the member with a name."""
        index = self._footprints.find(key)
        if index is None:
            raise KeyError(key)
        return self._member(index)
