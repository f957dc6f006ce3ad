from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

# typing has no name for it before Python 3.13.
_Capsule: TypeAlias = Any

FRAME_BYTES: int
HIDDEN: int
MAX_NODES: int
MPOL_MF_MOVE: int
MPOL_MF_MOVE_ALL: int
NOT_ATTEMPTED: int
PRESENCE: dict[str, int]

def move_pages(
    pages: npt.NDArray[np.uintp],
    nodes: npt.NDArray[np.int32] | int | None,
    status: npt.NDArray[np.int32],
    pid: int,
    flags: int,
    pause: Callable[[], object] | None,
) -> tuple[int, int] | BaseException | None: ...
def mempolicy_nodes(pages: npt.NDArray[np.uintp]) -> npt.NDArray[np.int32]: ...
def allowed_nodes() -> list[int] | None: ...
def sort_out(
    pages: npt.NDArray[np.uintp], before: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32]
) -> tuple[
    npt.NDArray[np.int32],
    npt.NDArray[np.bool_],
    npt.NDArray[np.int64],
    npt.NDArray[np.uintp],
    npt.NDArray[np.int32],
]: ...
def read_file(path: str) -> bytes: ...
def buffer_address(view: memoryview) -> int: ...
def scan_huge(
    start: int, end: int, pid: int
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.uintp]] | None: ...
def glance(array: object, node: int) -> tuple[int, int] | None: ...
def memory_blocks(folder: str) -> tuple[int, npt.NDArray[np.int32]]: ...
def shows_frame_numbers() -> bool: ...
def presence(
    starts: npt.NDArray[np.uintp], ends: npt.NDArray[np.uintp], pid: int
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.uintp], npt.NDArray[np.uint8]] | None: ...
def survey(
    starts: npt.NDArray[np.uintp],
    pages: npt.NDArray[np.int64],
    pid: int,
    flags: int,
    threads: int,
    fewest: int | None,
    by_number: int,
    ask_small: bool,
    pause: Callable[[], object] | None,
) -> tuple[
    tuple[int, int] | BaseException | None,
    npt.NDArray[np.uintp],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.uint8],
]: ...
def bind(start: int, nbytes: int, mode: int, nodes: npt.NDArray[np.int32], flags: int) -> int: ...
def migrate_process(
    pid: int, from_nodes: npt.NDArray[np.int32], to_nodes: npt.NDArray[np.int32]
) -> tuple[int, int]: ...
def policy(address: int) -> tuple[int, int, list[int]]: ...
def advise(start: int, nbytes: int, advice: int, part: int) -> tuple[int, int]: ...
def tells_what_is_in_memory(start: int) -> bool: ...
def resident(
    start: int, nbytes: int
) -> tuple[int, npt.NDArray[np.uintp], npt.NDArray[np.uintp]]: ...
def heap(mode: int, nodes: npt.NDArray[np.int32], huge_from: int) -> _Capsule: ...
def use_heap(handler: _Capsule) -> _Capsule: ...
def retire_heap(handler: _Capsule) -> None: ...
