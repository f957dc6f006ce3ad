"""Makers of every kind of page that a process can have, with what is known about each.

A maker takes the node on which its pages start, yields a `Kind`, and cleans up after it. Where this
kernel or machine has no such pages, it raises `CannotMakeError`, which says why.
"""

from . import kinds_kernel, kinds_memory
from .kinds_base import HOLE, MOVE, MOVE_ALL, CannotMakeError, Kind, Maker

__all__ = ["HOLE", "MAKERS", "MOVE", "MOVE_ALL", "CannotMakeError", "Kind", "Maker"]

# The order matters: memory made before a child is forked is shared with it.
MAKERS: dict[str, Maker] = {**kinds_memory.MAKERS, **kinds_kernel.MAKERS}
