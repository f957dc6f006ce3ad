"""Metrics in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Gauge(NamedTuple):
    """A metric that can go up and down: its name, what it means, and a value for labels."""

    name: str
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def exposition(gauges: Iterable[Gauge]) -> str:
    r"""Return metrics as text; those without samples are left out.

    Notes
    -----
    Source: "Text-based format" in the documentation of Prometheus.

    Examples
    --------
    >>> print(exposition([Gauge("up", "Whether it runs.", [({"comm": 'a"b'}, 1)])]), end="")
    # HELP up Whether it runs.
    # TYPE up gauge
    up{comm="a\"b"} 1
    """
    lines = []
    for gauge in gauges:
        if gauge.samples:
            lines += [f"# HELP {gauge.name} {gauge.meaning}", f"# TYPE {gauge.name} gauge"]
        for labels, value in gauge.samples:
            told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            lines.append(f"{gauge.name}{{{told}}} {value}")
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
