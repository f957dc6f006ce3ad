"""MemoryLike: the type of what `where` and `move` take, for annotations.

Type checkers do not see which classes `register` has made known. Give such a class a method
``__movepages_buffers__``, or cast its objects to `MemoryLike`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy.typing as npt

from .buffers import Region

if TYPE_CHECKING:
    from typing_extensions import Buffer
elif sys.version_info >= (3, 12):
    from collections.abc import Buffer
else:

    class Buffer(Protocol):
        """Before Python 3.12 no class has a method for this."""

        def __buffer__(self, flags: int, /) -> memoryview:
            """Return a view of the memory."""


class SupportsArrayInterface(Protocol):
    """An object with an array interface, such as an image."""

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """See numpy's documentation of the array interface."""


class SupportsDLPack(Protocol):
    """An object with DLPack, such as a tensor."""

    def __dlpack__(self) -> Any:
        """Return a capsule."""

    def __dlpack_device__(self) -> tuple[Any, int]:
        """Return the type and number of the device."""


class SupportsArrowStream(Protocol):
    """A table with the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule."""


class SupportsArrowArray(Protocol):
    """An array with the Arrow PyCapsule interface."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        """Return two capsules."""


class HasBuffer(Protocol):
    """A SharedMemory."""

    @property
    def buf(self) -> memoryview | None:
        """The memory, as long as it is open."""

    @property
    def name(self) -> str:
        """The name that other processes open it by."""

    @property
    def size(self) -> int:
        """Bytes of the memory."""


class SupportsMembers(Protocol):
    """An object of a class that takes part by a method of its own."""

    def __movepages_buffers__(self) -> Any:
        """Yield the name of each member and the member, or return the array with all memory."""


class HasBytes(Protocol):
    """An object that tells the size of its memory: arrays, frames, datasets."""

    @property
    def nbytes(self) -> int:
        """Bytes of the memory."""


class HasMemoryUsage(Protocol):
    """A data frame or a series of one."""

    def memory_usage(self, index: bool = ..., deep: bool = ...) -> Any:
        """Return the bytes of the memory."""


class HasParameters(Protocol):
    """A model with parameters and buffers, such as a torch module."""

    def named_parameters(self) -> Any:
        """Yield the name of each parameter and the parameter."""

    def named_buffers(self) -> Any:
        """Yield the name of each buffer and the buffer."""


class HasState(Protocol):
    """An optimizer."""

    @property
    def param_groups(self) -> Sequence[Mapping[str, Any]]:
        """The parameters that it steps, in groups."""

    @property
    def state(self) -> Mapping[Any, Any]:
        """What it keeps for each parameter."""


class HasAddress(Protocol):
    """A storage of tensors."""

    def data_ptr(self) -> int:
        """Return the address of the memory."""

    def nbytes(self) -> int:
        """Return the bytes of the memory."""


class HasFittedArrays(Protocol):
    """A scikit-learn estimator, which keeps arrays as attributes."""

    def get_params(self, deep: bool = ...) -> Any:
        """Return the arguments that it was made with."""


class HasGraph(Protocol):
    """A Dask collection: its data are tasks of a graph."""

    def __dask_graph__(self) -> Any:
        """Return the tasks."""


class IsDataclass(Protocol):
    """An instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


OneMemory: TypeAlias = npt.NDArray[Any] | Buffer | Region | SupportsArrayInterface | HasBuffer
_Ordered: TypeAlias = list[Any] | tuple[Any, ...] | deque[Any] | ValuesView[Any]
Container: TypeAlias = _Ordered | Mapping[Any, Any] | IsDataclass
_Protocol: TypeAlias = SupportsDLPack | SupportsArrowStream | SupportsArrowArray | SupportsMembers
_Torch: TypeAlias = HasParameters | HasState | HasAddress
_Library: TypeAlias = HasBytes | HasMemoryUsage | _Torch | HasFittedArrays | HasGraph
MemoryLike: TypeAlias = OneMemory | Container | _Protocol | _Library
