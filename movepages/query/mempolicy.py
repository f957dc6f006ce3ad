"""mempolicy_nodes(): the nodes of pages by get_mempolicy(2)."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..pages.arguments import INT32, Pages, as_addresses
from ..pages.runs import Statuses

# Pages per batch of get_mempolicy(2) queries, so that Ctrl-C takes effect in between.
_WITNESS_PAGES = 1 << 16


def mempolicy_nodes(pages: Pages) -> Statuses:
    """Return the node of each page from get_mempolicy(2), a source independent of `move_pages`.

    Parameters
    ----------
    pages : array_like of uintp, shape (n,)
        Addresses in this process. The call faults absent pages in: pass only present pages.

    Returns
    -------
    ndarray of int32, shape (n,)
        Node of each page, or a negative errno.

    Raises
    ------
    TypeError, ValueError
        `pages` holds values other than whole numbers, or is not one-dimensional.

    Notes
    -----
    Source: get_mempolicy(2) with MPOL_F_NODE | MPOL_F_ADDR, ``lookup_node`` in mm/mempolicy.c.

    Examples
    --------
    >>> a = np.ones(1 << 20, np.uint8)
    >>> bool(mempolicy_nodes([a.ctypes.data])[0] == move_pages([a.ctypes.data])[0])
    True
    """
    addresses = as_addresses(pages)
    starts = range(0, len(addresses), _WITNESS_PAGES)
    parts = [_core.mempolicy_nodes(addresses[i : i + _WITNESS_PAGES]) for i in starts]
    return np.concatenate([np.empty(0, INT32), *parts])
