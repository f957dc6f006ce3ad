"""See which NUMA node every page of a numpy array lives on, and move it where the work is."""

import sys
from importlib import import_module

__version__ = "0.1.0"

# A public name's module is imported when the name is first used, so that importing the package
# costs a script nothing that it does not use.
_HOMES = {
    "advice.advice": ("Advice",),
    "advice.advise": ("advise",),
    "advice.finding": ("Finding",),
    "doctor.checks": ("Check",),
    "doctor.preflight": (
        "Preflight",
        "preflight",
    ),
    "inputs.registry": ("register",),
    "layouts.blocks": (
        "blocks",
        "by_axis",
        "like",
        "local",
    ),
    "layouts.by_member": ("together",),
    "layouts.interleave": (
        "interleave",
        "weighted",
    ),
    "layouts.near": (
        "Near",
        "near",
    ),
    "layouts.targets": ("Layout",),
    "memory.allocator": ("allocating",),
    "memory.bandwidth": ("measure_bandwidth",),
    "memory.cached_tensors": ("cached_tensors",),
    "memory.collapse": (
        "CollapseResult",
        "collapse",
    ),
    "memory.creation": (
        "empty",
        "full",
        "zeros",
    ),
    "memory.first_touch": ("first_touch",),
    "memory.page_cache": (
        "fault_in",
        "page_cache",
    ),
    "memory.policies": (
        "PolicyRange",
        "bind",
        "policy",
    ),
    "memory.policy_modes": ("PolicyMode",),
    "memory.populate": ("touch",),
    "memory.replicas": (
        "Replicas",
        "replicate",
    ),
    "migration.background": ("BackgroundMove",),
    "migration.calibrate": ("calibrate",),
    "migration.control": ("RetryPolicy",),
    "migration.forecast": ("Plan",),
    "migration.layout_targets": ("targets",),
    "migration.move": ("move",),
    "migration.plan": ("plan",),
    "pages.buffers": ("Region",),
    "pages.like": ("MemoryLike",),
    "processes.affinity": ("ThreadCpus",),
    "processes.locality": ("Locality",),
    "processes.localization": ("Localization",),
    "processes.observation": ("Observation",),
    "processes.process": (
        "Process",
        "process",
    ),
    "processes.thread_use": ("ThreadUse",),
    "processes.watch_sample": ("WatchSample",),
    "processes.watching": (
        "Watch",
        "watch",
    ),
    "query.mempolicy": ("mempolicy_nodes",),
    "query.syscall": (
        "MPOL_MF_MOVE",
        "MPOL_MF_MOVE_ALL",
        "move_pages",
    ),
    "query.where": ("where",),
    "results.absence": ("Absence",),
    "results.bandwidth": ("Bandwidth",),
    "results.outcome": (
        "MovePagesCancelledError",
        "MovePagesError",
        "MovePagesInterruptedError",
        "MovePagesLookupError",
        "MovePagesMemoryError",
        "MovePagesPermissionError",
        "MovePagesTimeoutError",
        "MovePagesUnsupportedError",
        "MovePagesValueError",
        "MoveResult",
    ),
    "results.placement": ("Placement",),
    "results.placements": ("Placements",),
    "results.status": ("PageStatus",),
    "results.warnings": (
        "LayoutWarning",
        "MovePagesWarning",
    ),
    "system.devices": ("Device",),
    "system.node": (
        "HugePagePool",
        "Node",
    ),
    "system.node_performance": ("Access",),
    "system.sysfs": ("TopologyError",),
    "system.topology": ("Topology",),
    "system.topology_reader": ("topology",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        # With both of these, a traceback suggests the nearest name.
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )
    try:
        module = import_module(f".{home}", __name__)
    except ImportError:
        # Imported late, because only this case needs it.
        from importlib.util import find_spec

        if find_spec(f"{__name__}._core") is not None:
            raise
        # Python searches the folder it was started in first, which may be a clone.
        raise ModuleNotFoundError(
            f"{__path__[0]} is movepages' source without its compiled extension: start Python in "
            "another folder to use the installed package, or install the source: pip install -e .",
            name=f"{__name__}._core",
        ) from None
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
