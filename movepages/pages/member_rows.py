"""MemberRows: the pages of several members as rows of neighbours, found in one pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .named import NamedFootprints
from .page_set import rows_of
from .strides import Ints


class MemberRows:
    """Rows of neighbouring pages of some members, in the order of members and addresses.

    Parameters
    ----------
    footprints : NamedFootprints
    members : range
        Which members.

    Attributes
    ----------
    member, address, pages : ndarray
        Index of the member, first page (uintp) and number of pages of each row.
    edges : ndarray
        The indices of the members and, at last, the next one.
    """

    def __init__(self, footprints: NamedFootprints, members: range) -> None:
        size, some = footprints.page_size, slice(members.start, members.stop)
        self._footprints, self._members = footprints, members
        self.edges = np.arange(members.start, members.stop + 1)
        self._begin = footprints.address[some]
        nbytes = footprints.nbytes[some].astype(np.uintp)
        self._end = self._begin + nbytes
        self._parted = [index for index in members if index in footprints.parted]
        whole = np.flatnonzero(nbytes)
        first = self._begin[whole] // np.uintp(size)
        last = (self._end[whole] - np.uintp(1)) // np.uintp(size)
        member = [whole + members.start]
        address, pages = [first * np.uintp(size)], [(last - first).astype(np.int64) + 1]
        for index in self._parted:
            rows = rows_of(footprints[index])
            member.append(np.full(len(rows[0]), index))
            address.append(rows[0])
            pages.append(rows[1])
        self.member, self.address = np.concatenate(member), np.concatenate(address)
        self.pages = np.concatenate(pages)
        if self._parted:
            order = np.argsort(self.member, kind="stable")
            self.member, self.address = self.member[order], self.address[order]
            self.pages = self.pages[order]

    def held(self, member: Ints, address: npt.NDArray[np.uintp], pages: Ints) -> Ints:
        """Count the bytes of a member in each row of its pages; members ascend."""
        ends = address + pages.astype(np.uintp) * np.uintp(self._footprints.page_size)
        number = member - self._members.start
        begin, end = self._begin[number], self._end[number]
        held: Ints = (np.minimum(ends, end) - np.maximum(address, begin)).astype(np.int64)
        for index in self._parted:
            low, high = np.searchsorted(member, (index, index + 1))
            held[low:high] = self._footprints[index].held(address[low:high], pages[low:high])
        return held
