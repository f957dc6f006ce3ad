"""Every kind of page a process can have, made to order, with what is known of each.

A maker takes the node its pages shall start on, yields a `Kind`, and cleans up after it. Where this
kernel or machine has no such pages it raises `CannotMakeError`, which says why.
"""

from . import kinds_kernel, kinds_memory
from .kinds_base import HOLE, MOVE, MOVE_ALL, CannotMakeError, Kind, Maker

__all__ = ["HOLE", "MAKERS", "MOVE", "MOVE_ALL", "CannotMakeError", "Kind", "Maker"]

# In this order, as what is made before a child is forked is shared with it.
MAKERS: dict[str, Maker] = {**kinds_memory.MAKERS, **kinds_kernel.MAKERS}
