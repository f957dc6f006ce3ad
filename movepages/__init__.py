"""See which NUMA node every page of a numpy array lives on, and move it where the work is."""

from importlib import import_module

__version__ = "0.1.0"

# Each public name comes from its module when it is first asked for, so that a script which imports
# the package pays for nothing else. No module has the name of what it offers: the import of a
# module sets an attribute of its package.
_HOMES = {
    "_sysfs": ("TopologyError",),
    "absence": ("Absence",),
    "allocator": ("allocating",),
    "arena": (
        "empty",
        "full",
        "zeros",
    ),
    "arrays": (
        "move",
        "where",
    ),
    "background": ("BackgroundMove",),
    "buffers": ("Region",),
    "checks": ("Check",),
    "control": ("RetryPolicy",),
    "collapsing": (
        "CollapseResult",
        "collapse",
    ),
    "errors": (
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
        "PageStatus",
    ),
    "layouts": (
        "blocks",
        "by_axis",
        "like",
        "local",
        "targets",
    ),
    "machine": (
        "HugePagePool",
        "Node",
        "Topology",
    ),
    "move_targets": ("Layout",),
    "placement": ("Placement",),
    "planning": (
        "Plan",
        "plan",
    ),
    "policies": (
        "PolicyRange",
        "bind",
        "policy",
    ),
    "policy_modes": ("PolicyMode",),
    "populate": ("touch",),
    "inspection": (
        "Preflight",
        "preflight",
    ),
    "processes": (
        "Process",
        "process",
    ),
    "rates": ("calibrate",),
    "result": ("MoveResult",),
    "shared": (
        "fault_in",
        "page_cache",
    ),
    "syscall": (
        "MPOL_MF_MOVE",
        "MPOL_MF_MOVE_ALL",
        "mempolicy_nodes",
        "move_pages",
    ),
    "topology_reader": ("topology",),
    "turns": (
        "interleave",
        "weighted",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f".{home}", __name__)
    except ModuleNotFoundError as missing:
        if missing.name != f"{__name__}._core":
            raise
        # Python looks first where it was started, which may be a clone.
        raise ModuleNotFoundError(
            f"{__path__[0]} is movepages' source, without its compiled part: start Python in "
            "another folder to use what is installed, or install the source: pip install -e .",
            name=missing.name,
        ) from None
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
