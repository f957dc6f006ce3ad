"""Nested: equal blocks of bytes at nested strides, seen from the first byte."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .strides import Dims, Ints


class Nested(NamedTuple):
    """Blocks of contiguous bytes, repeated along nested strides; all offsets are from the first.

    Attributes
    ----------
    block : int
        Contiguous bytes in one block.
    dims : tuple of (int, int)
        Stride and count of each dimension, the largest stride first.
    """

    block: int
    dims: Dims

    @property
    def span(self) -> int:
        """Bytes from the lowest to the highest one, gaps included."""
        return self.block + sum(stride * (count - 1) for stride, count in self.dims)

    @property
    def nbytes(self) -> int:
        """Bytes in all blocks."""
        return self.block * math.prod(count for _, count in self.dims)

    @property
    def longest(self) -> int:
        """Upper bound on the bytes in a row without a gap."""
        extent = longest = self.block
        for stride, count in reversed(self.dims):
            if stride == extent and count > 1:
                # The last block of one repetition touches the first block of the next.
                longest = longest * count if longest == extent else 2 * longest
            extent += stride * (count - 1)
        return longest

    def refuse(self) -> None:
        """Raise ValueError unless each stride is at least as long as the part that it repeats."""
        extent = self.block
        for stride, count in reversed(self.dims):
            if stride < extent or count < 1:
                raise ValueError(
                    "dims do not nest: expected strides no shorter than what they repeat, got "
                    f"{self.dims} around blocks of {self.block} bytes"
                )
            extent += stride * (count - 1)

    def below(self, offset: Ints) -> Ints:
        """Count the bytes below each offset."""
        extent, held = self.span, self.nbytes
        rest = np.clip(offset, 0, extent)
        total = np.zeros_like(rest)
        for stride, count in self.dims:
            extent -= stride * (count - 1)
            held //= count
            whole = np.minimum(rest // stride, count - 1)
            total += whole * held
            rest = np.minimum(rest - whole * stride, extent)
        return total + rest

    def offset(self, rank: Ints) -> Ints:
        """Convert ranks of bytes, from 0 on, to offsets."""
        held, offset = self.nbytes, np.zeros_like(rank)
        for stride, count in self.dims:
            held //= count
            index = rank // held
            offset += index * stride
            rank = rank - index * held
        return offset + rank
