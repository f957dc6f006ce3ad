from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

_T = TypeVar("_T")

HUGE_PAGE_BYTES: int
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
    threads: int = 1,
) -> tuple[int | BaseException, int] | None: ...
def untold(count: int) -> npt.NDArray[np.int32] | None: ...
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
def engine() -> str: ...
def use_engine(name: str | None) -> None: ...
def is_own(pid: int) -> bool: ...
def buffer_address(view: memoryview) -> int: ...
def contiguous_arrays(
    sequence: Sequence[object],
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64], npt.NDArray[np.int64]] | None: ...
def dlpack_memory(
    capsule: object,
) -> tuple[int, tuple[int, ...], tuple[int, ...], int, object, int, int, bool]: ...
def object_blocks(
    objects: list[object],
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64]]: ...
def scan_huge(
    start: int, end: int, pid: int
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.uintp]] | None: ...
def all_on_node(array: object, node: int) -> tuple[int, int] | None: ...
def small_on_one_node(array: object) -> tuple[int, int, int, int | None] | None: ...
def shows_frame_numbers() -> bool: ...
def probe() -> tuple[int, int, int, int, int, int, int, int]: ...
def presence(
    starts: npt.NDArray[np.uintp], ends: npt.NDArray[np.uintp], pid: int
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.uintp], npt.NDArray[np.uint8]] | None: ...
def huge_ranges_by_count(
    path: str, first: int, last: int, most: int
) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.uintp]] | None: ...
def reach(start: int, end: int, most: int, pid: int) -> int | None: ...
def survey(
    starts: npt.NDArray[np.uintp],
    pages: npt.NDArray[np.int64],
    pid: int,
    flags: int,
    threads: int,
    fewest: int | None,
    by_number: int,
    ask_small: bool,
    in_huge_pages: bool,
    pause: Callable[[], object] | None,
) -> tuple[
    tuple[int, int] | BaseException | None,
    npt.NDArray[np.uintp],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.uint8],
]: ...
def bind(start: int, nbytes: int, mode: int, nodes: npt.NDArray[np.int32], flags: int) -> int: ...
def set_policy(mode: int, nodes: npt.NDArray[np.int32]) -> int: ...
def migrate_process(
    pid: int, from_nodes: npt.NDArray[np.int32], to_nodes: npt.NDArray[np.int32]
) -> tuple[int, int]: ...
def policy(address: int) -> tuple[int, int, list[int]]: ...
def advise(start: int, nbytes: int, advice: int, part: int) -> tuple[int, int]: ...
def advise_each(
    starts: npt.NDArray[np.uintp], nbytes: int, advice: int, pid: int
) -> npt.NDArray[np.int32]: ...
def populate(
    shares: list[
        tuple[
            npt.NDArray[np.int32],
            npt.NDArray[np.int64],
            npt.NDArray[np.uintp],
            npt.NDArray[np.int64],
            npt.NDArray[np.int32],
            int,
        ]
    ],
    pause: Callable[[], object] | None,
) -> tuple[int, int, bool] | BaseException | None: ...
def node_room(node: int) -> int | None: ...
def traffic(
    kind: str,
    parts: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None, int]],
    seconds: float,
    pause: Callable[[], object] | None,
) -> tuple[int, int, float, int, list[int]] | BaseException: ...
def chase(
    memory: npt.NDArray[np.uint8],
    line: int,
    cpus: npt.NDArray[np.int32],
    seconds: float,
    seed: int,
    pause: Callable[[], object] | None,
) -> tuple[int, int, list[tuple[float, int, int]]] | BaseException: ...
def current_cpu() -> int: ...
def tells_what_is_in_memory(start: int) -> bool: ...
def resident(
    start: int, nbytes: int
) -> tuple[int, npt.NDArray[np.uintp], npt.NDArray[np.uintp]]: ...

@disjoint_base
class Setting:
    def __new__(cls, variable: ContextVar[_T], value: _T, /) -> Self: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *raised: object) -> None: ...

@disjoint_base
class FirstTouch:
    def __new__(
        cls, mode: int, nodes: npt.NDArray[np.int32], failed: Callable[[int], BaseException], /
    ) -> Self: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *raised: object) -> None: ...

@disjoint_base
class Heap:
    def __new__(cls, mode: int, nodes: npt.NDArray[np.int32], huge_from: int, /) -> Self: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *raised: object) -> None: ...
