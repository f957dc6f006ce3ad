from .advice.advice import Advice
from .advice.advise import advise
from .advice.finding import Finding
from .doctor.checks import Check
from .doctor.preflight import Preflight, preflight
from .inputs.registry import register
from .layouts.blocks import blocks, by_axis, like, local
from .layouts.by_member import together
from .layouts.interleave import interleave, weighted
from .layouts.near import Near, near
from .layouts.targets import Layout
from .memory.allocator import allocating
from .memory.bandwidth import measure_bandwidth
from .memory.cached_tensors import cached_tensors
from .memory.collapse import CollapseResult, collapse
from .memory.creation import empty, full, zeros
from .memory.first_touch import first_touch
from .memory.page_cache import fault_in, page_cache
from .memory.policies import PolicyRange, bind, policy
from .memory.policy_modes import PolicyMode
from .memory.populate import touch
from .memory.replicas import Replicas, replicate
from .migration.background import BackgroundMove
from .migration.calibrate import calibrate
from .migration.control import RetryPolicy
from .migration.forecast import Plan
from .migration.layout_targets import targets
from .migration.move import move
from .migration.plan import plan
from .pages.buffers import Region
from .pages.like import MemoryLike as MemoryLike
from .processes.affinity import ThreadCpus
from .processes.locality import Locality
from .processes.localization import Localization
from .processes.observation import Observation
from .processes.process import Process, process
from .processes.thread_use import ThreadUse
from .processes.watch_sample import WatchSample
from .processes.watching import Watch, watch
from .query.mempolicy import mempolicy_nodes
from .query.syscall import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, move_pages
from .query.where import where
from .results.absence import Absence
from .results.bandwidth import Bandwidth
from .results.outcome import (
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
from .results.placement import Placement
from .results.placements import Placements
from .results.status import PageStatus
from .results.warnings import LayoutWarning, MovePagesWarning
from .system.devices import Device
from .system.node import HugePagePool, Node
from .system.node_performance import Access
from .system.sysfs import TopologyError
from .system.topology import Topology
from .system.topology_reader import topology

__version__: str

__all__ = [
    "MPOL_MF_MOVE",
    "MPOL_MF_MOVE_ALL",
    "Absence",
    "Access",
    "Advice",
    "BackgroundMove",
    "Bandwidth",
    "Check",
    "CollapseResult",
    "Device",
    "Finding",
    "HugePagePool",
    "Layout",
    "LayoutWarning",
    "Locality",
    "Localization",
    "MemoryLike",
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
    "Near",
    "Node",
    "Observation",
    "PageStatus",
    "Placement",
    "Placements",
    "Plan",
    "PolicyMode",
    "PolicyRange",
    "Preflight",
    "Process",
    "Region",
    "Replicas",
    "RetryPolicy",
    "ThreadCpus",
    "ThreadUse",
    "Topology",
    "TopologyError",
    "Watch",
    "WatchSample",
    "advise",
    "allocating",
    "bind",
    "blocks",
    "by_axis",
    "cached_tensors",
    "calibrate",
    "collapse",
    "empty",
    "fault_in",
    "first_touch",
    "full",
    "interleave",
    "like",
    "local",
    "measure_bandwidth",
    "mempolicy_nodes",
    "move",
    "move_pages",
    "near",
    "page_cache",
    "plan",
    "policy",
    "preflight",
    "process",
    "register",
    "replicate",
    "targets",
    "together",
    "topology",
    "touch",
    "watch",
    "weighted",
    "where",
    "zeros",
]
