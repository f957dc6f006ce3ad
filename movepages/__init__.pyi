from ._sysfs import TopologyError
from .absence import Absence
from .allocator import allocating
from .arena import empty, full, zeros
from .arrays import move
from .background import BackgroundMove
from .buffers import Region
from .checks import Check
from .collapsing import CollapseResult, collapse
from .control import RetryPolicy
from .inspection import Preflight, preflight
from .layouts import blocks, by_axis, like, local
from .machine import HugePagePool, Node, Topology
from .move_targets import Layout
from .outcome import (
    MovePagesCancelledError,
    MovePagesError,
    MovePagesInterruptedError,
    MovePagesLookupError,
    MovePagesMemoryError,
    MovePagesPermissionError,
    MovePagesTimeoutError,
    MovePagesUnsupportedError,
    MovePagesValueError,
    MoveResult,
)
from .placement import Placement
from .planning import Plan, plan
from .policies import PolicyRange, bind, policy
from .policy_modes import PolicyMode
from .populate import touch
from .processes import Process, process
from .rates import calibrate
from .shared import fault_in, page_cache
from .status import PageStatus
from .syscall import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, mempolicy_nodes, move_pages
from .topology_reader import topology
from .turns import interleave, weighted
from .wanted import targets
from .warnings import LayoutWarning, MovePagesWarning
from .where import where

__version__: str

__all__ = [
    "MPOL_MF_MOVE",
    "MPOL_MF_MOVE_ALL",
    "Absence",
    "BackgroundMove",
    "Check",
    "CollapseResult",
    "HugePagePool",
    "Layout",
    "LayoutWarning",
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
    "collapse",
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
