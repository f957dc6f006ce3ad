"""Suggestions for wrong targets: what the user most likely meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from typing import Any

import numpy as np

_LAYOUTS = {
    "interleave": "interleave([0, 1])",
    "weighted": "weighted({0: 3, 1: 1})",
    "blocks": "blocks([0, 1])",
    "by_axis": "by_axis(0, [0, 1])",
    "like": "like(b)",
    "local": "local()",
    "near": "near('eth0')",
}
_AS_ANOTHER = "to put memory where another array is, pass like(b)"


def meant_by(target: object) -> str:
    """Return what to pass instead of a wrong target, or "" if that is not clear or it is right."""
    if isinstance(target, int):
        return ""
    if isinstance(target, str):
        return _by_text(target.strip())
    if isinstance(target, Set):
        return "a set has no order: pass blocks([0, 1]) or interleave([0, 1])"
    if callable(target):
        return _by_call(target)
    if isinstance(target, (float, np.floating)):
        return f"pass the number {int(target)}" if target.is_integer() else ""
    if isinstance(target, np.ndarray):
        return _AS_ANOTHER if target.dtype.kind not in "iub" else ""
    if re.search("float|complex", str(getattr(target, "dtype", ""))):
        return _AS_ANOTHER
    return _by_class(target)


def in_words(target: object) -> str:
    """Return the type of a wrong target, with its value if that is short."""
    if isinstance(target, (int, list, tuple)):
        return f"{target!r:.40}"
    if isinstance(target, (str, float)):
        return f"a {type(target).__name__}, {target!r}"
    if isinstance(target, np.ndarray):
        return f"an array of {target.dtype}"
    return f"a {type(target).__name__}"


def _by_text(text: str) -> str:
    if found := re.fullmatch(r"(?:node\s*)?(\d+)", text, re.IGNORECASE):
        return f"pass the number {int(found[1])}"
    name, _, rest = text.partition(":")
    if name == "near" and rest:
        return f"pass near({rest!r})"
    if name in _LAYOUTS:
        return f"pass the layout {_LAYOUTS[name]}"
    if name == "cuda":
        return f"for the node nearest to a device, pass near({text!r})"
    return ""


def _by_class(target: object) -> str:
    match type(target).__module__.partition(".")[0], type(target).__name__:
        case "movepages", "Node":
            return f"pass its number: {getattr(target, 'id', 0)}"
        case "movepages", "Topology":
            return f"pass one of its allowed_nodes: {getattr(target, 'allowed_nodes', ())}"
        case "torch", "device":
            return f"for the node nearest to a device, pass near({str(target)!r})"
    return ""


def _by_call(target: Callable[..., Any]) -> str:
    name = getattr(target, "__name__", "")
    return f"call it: {_LAYOUTS[name]}" if name in _LAYOUTS else ""
