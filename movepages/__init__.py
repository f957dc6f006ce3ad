"""See which NUMA node every page of a numpy array lives on, and move it where the work is."""

from ._sysfs import TopologyError
from .absence import Absence
from .allocator import allocating
from .arena import empty, full, zeros
from .arrays import move, where
from .background import BackgroundMove
from .buffers import Region
from .checks import Check
from .control import RetryPolicy
from .errors import (
    MovePagesCancelledError,
    MovePagesError,
    MovePagesInterruptedError,
    MovePagesLookupError,
    MovePagesMemoryError,
    MovePagesPermissionError,
    MovePagesTimeoutError,
    MovePagesUnsupportedError,
    MovePagesValueError,
    MovePagesWarning,
    PageStatus,
)
from .layouts import blocks, by_axis, interleave, like, local, targets, weighted
from .machine import HugePagePool, Node, Topology
from .placement import Placement
from .plan import Plan, plan
from .policy import PolicyRange, bind, policy
from .policy_modes import PolicyMode
from .populate import touch
from .preflight import Preflight, preflight
from .process import Process, process
from .rates import calibrate
from .result import MoveResult
from .shared import fault_in, page_cache
from .syscall import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, mempolicy_nodes, move_pages
from .topology import topology

__version__ = "0.1.0"

__all__ = [
    "MPOL_MF_MOVE",
    "MPOL_MF_MOVE_ALL",
    "Absence",
    "BackgroundMove",
    "Check",
    "HugePagePool",
    "MovePagesCancelledError",
    "MovePagesError",
    "MovePagesInterruptedError",
    "MovePagesLookupError",
    "MovePagesMemoryError",
    "MovePagesPermissionError",
    "MovePagesTimeoutError",
    "MovePagesUnsupportedError",
    "MovePagesValueError",
    "MovePagesWarning",
    "MoveResult",
    "Node",
    "PageStatus",
    "Placement",
    "Plan",
    "PolicyMode",
    "PolicyRange",
    "Preflight",
    "Process",
    "Region",
    "RetryPolicy",
    "Topology",
    "TopologyError",
    "allocating",
    "bind",
    "blocks",
    "by_axis",
    "calibrate",
    "empty",
    "fault_in",
    "full",
    "interleave",
    "like",
    "local",
    "mempolicy_nodes",
    "move",
    "move_pages",
    "page_cache",
    "plan",
    "policy",
    "preflight",
    "process",
    "targets",
    "topology",
    "touch",
    "weighted",
    "where",
    "zeros",
]
