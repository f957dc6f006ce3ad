"""ByName: what is known of the members of an object, made when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from ..pages.named import NamedFootprints

_T = TypeVar("_T", covariant=True)

# Members that are made at a time.
_MOST = 1 << 10


class ByName(Mapping[str, _T]):
    """A mapping from the name of each member; a key such as 0 or "price" finds it, too."""

    _footprints: NamedFootprints
    # What was made last, and the index of the first member among it. Members that are asked for in
    # order are made more and more at a time, which takes a tenth of the time.
    _latest: tuple[int, Sequence[_T]] = -1, ()

    @abstractmethod
    def _make(self, members: range) -> Sequence[_T]:
        """Return what is known of some members."""

    def _member(self, index: int) -> _T:
        """Return what is known of one member."""
        first, made = self._latest
        if not first <= index < first + len(made):
            most = min(4 * len(made), _MOST) if index == first + len(made) else 1
            members = self._footprints.portion(index, most)
            first, made = self._latest = index, self._make(members)
        return made[index - first]

    def __getstate__(self) -> dict[str, object]:
        # A copy makes what is cached again.
        kept = vars(self).items()
        return {name: value for name, value in kept if not self._is_cache(name)}

    @classmethod
    def _is_cache(cls, name: str) -> bool:
        return name == "_latest" or isinstance(getattr(cls, name, None), cached_property)

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
            raise KeyError(self._no_member(key))
        return self._member(index)

    def get(self, key: object, default: Any = None) -> Any:
        """Return the entry of the member with this name, or `default` if there is none."""
        index = self._footprints.find(key)
        return default if index is None else self._member(index)

    def _no_member(self, key: object) -> str:
        # Only a typing error pays for this import.
        from difflib import get_close_matches

        some = list(islice(self, _MOST))
        near = get_close_matches(str(key), some, 3, 0.5) or some[:3]
        more = ", ..." if len(self) > len(near) else ""
        return f"no member {key!r}; there are {', '.join(map(repr, near))}{more}"
