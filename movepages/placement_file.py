"""Placements in files of the format .npz."""

from __future__ import annotations

import os

import numpy as np

from .absence import ABSENCE_DTYPE
from .placement import Placement
from .runs import RUN_DTYPE

_NUMBERS = ("address", "nbytes", "pages", "page_size", "shared_edges", "pid")


def save(placement: Placement, file: str | os.PathLike[str]) -> None:
    """Write it, as `Placement.save` says."""
    numbers = np.array([getattr(placement, name) for name in _NUMBERS], np.uint64)
    with open(file, "wb") as out:
        np.savez_compressed(
            out,
            movepages_placement=numbers,
            runs=placement.runs,
            absences=placement.absences,
            axes=np.array((placement.shape, placement.strides), np.int64),
        )


def load(file: str | os.PathLike[str]) -> Placement:
    """Read it, as `Placement.load` says."""
    try:
        # Of a broken archive np.load would leave the file open.
        with open(file, "rb") as source, np.load(source, allow_pickle=False) as found:
            values = dict(zip(_NUMBERS, found["movepages_placement"].tolist(), strict=True))
            runs = found["runs"].astype(RUN_DTYPE, casting="equiv")
            absences = found["absences"].astype(ABSENCE_DTYPE, casting="equiv")
            # Files of before there were pictures have none.
            shape, strides = found["axes"].tolist() if "axes" in found else ((), ())
    except OSError:
        raise
    # A damaged archive is told of in many ways.
    except Exception as error:
        raise ValueError(
            f"{os.fspath(file)!r} is no placement that Placement.save() wrote: {error}"
        ) from error
    if runs.ndim != 1 or absences.ndim != 1 or (runs["pages"] < 1).any():
        raise ValueError(f"{os.fspath(file)!r} has runs that are none")
    for name, what in (("pages", "pages"), ("nbytes", "bytes")):
        total = int(runs[name].sum())
        if total != values[name]:
            raise ValueError(
                f"{os.fspath(file)!r}: its runs have {total:,} {what}, and it tells of "
                f"{values[name]:,}"
            )
    for records in (runs, absences):
        records.flags.writeable = False
    return Placement(
        **values, runs=runs, absences=absences, shape=tuple(shape), strides=tuple(strides)
    )
