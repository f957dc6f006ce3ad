"""Memory: the address, shape and strides of an array that numpy cannot make a view of."""

from __future__ import annotations

import operator
from collections.abc import Sequence


class Memory:
    """One strided array of any element type, such as a tensor of bfloat16.

    It is never read, so the type of its elements does not matter.

    Parameters
    ----------
    address : int
        Address of the element with index 0 along every axis.
    shape, strides : sequence of int
        As in numpy: strides in bytes, of any sign.
    itemsize : int
        Bytes of one element.
    owner : object
        Kept alive for as long as this object is.

    Raises
    ------
    TypeError, ValueError
        A value is not a whole number, or shape and strides differ in length.
    """

    __slots__ = ("address", "itemsize", "owner", "shape", "strides")

    def __init__(
        self,
        address: int,
        shape: Sequence[int],
        strides: Sequence[int],
        itemsize: int,
        owner: object,
    ) -> None:
        self.address, self.itemsize = operator.index(address), operator.index(itemsize)
        self.shape = tuple(map(operator.index, shape))
        self.strides = tuple(map(operator.index, strides))
        self.owner = owner
        if len(self.shape) != len(self.strides):
            raise ValueError(f"shape {self.shape} and strides {self.strides} differ in length")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)
