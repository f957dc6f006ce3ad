"""Huge pages that smaps makes certain are queried once each; a doubt has every page queried."""

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages._core import HUGE_PAGE_BYTES as HUGE
from movepages.pages.footprint import Footprint
from movepages.query import shortcuts, smaps_shortcut
from movepages.query.survey_runs import SurveyRuns
from support import huge, memory
from support.memory import PAGE

START = 0x7F00_0000_0000
EACH = HUGE // PAGE
ABSENT = mp.PageStatus.ENOENT.value


def mapping(start, nbytes, *, resident, page=PAGE, **fields):
    """Return the lines of smaps about a mapping; counts are in bytes."""
    counts = {"KernelPageSize": page, "Rss": resident, **fields}
    lines = [f"{name}: {count // 1024:8} kB" for name, count in counts.items()]
    return "\n".join([f"{start:x}-{start + nbytes:x} rw-p 00000000 00:00 0 [heap]", *lines, ""])


@pytest.fixture
def ranges(tmp_path):
    def read(*texts, first=0, last=1 << 62, most=1000):
        path = tmp_path / "smaps"
        path.write_text("".join(texts) + "VmFlags: rd wr mr mw me ac sd hg\n")
        found = _core.huge_ranges_by_count(str(path), first, last, most)
        if found is None:
            return None
        return [((int(a) - START) / HUGE, (int(b) - START) / HUGE) for a, b in np.transpose(found)]

    return read


@pytest.mark.parametrize("field", ["AnonHugePages", "ShmemPmdMapped", "FilePmdMapped"])
def test_mapping_with_as_many_huge_pages_as_fit(ranges, field):
    edges = 3 * PAGE
    whole = mapping(START - PAGE, 4 * HUGE + edges, resident=4 * HUGE + edges, **{field: 4 * HUGE})
    assert ranges(whole) == [(0, 4)]
    split = mapping(START - PAGE, 4 * HUGE + edges, resident=4 * HUGE + edges, **{field: 3 * HUGE})
    assert ranges(split) == []


def test_mapping_without_other_memory_than_huge_pages(ranges):
    assert ranges(mapping(START, 9 * HUGE, resident=HUGE, AnonHugePages=HUGE)) == [(0, 9)]
    assert ranges(mapping(START, 9 * HUGE, resident=HUGE + PAGE, AnonHugePages=HUGE)) == []
    assert ranges(mapping(START, 9 * HUGE, resident=0, AnonHugePages=0)) == []
    short = mapping(START + PAGE, 2 * HUGE - 2 * PAGE, resident=0, AnonHugePages=0)
    assert ranges(short) == []


@pytest.mark.parametrize("field", ["Shared_Hugetlb", "Private_Hugetlb"])
def test_hugetlb_counts_if_its_pages_are_large_enough(ranges, field):
    of = {"resident": 0, field: 2 * HUGE}
    assert ranges(mapping(START, 4 * HUGE, page=HUGE, **of)) == [(0, 4)]
    assert ranges(mapping(START, 4 * HUGE, page=512 * HUGE, **of)) == [(0, 4)]
    assert ranges(mapping(START, 4 * HUGE, page=HUGE // 32, **of)) == []


def test_only_the_range_in_question_is_read(ranges):
    texts = [
        mapping(START + 4 * k * HUGE, 2 * HUGE, resident=HUGE, AnonHugePages=HUGE) for k in range(5)
    ]
    first, last = START + HUGE + PAGE, START + 9 * HUGE
    expected = [(1 + PAGE / HUGE, 2), (4, 6), (8, 9)]
    assert ranges(*texts, first=first, last=last) == expected
    assert ranges(*texts, first=first, last=last, most=3) == expected
    assert ranges(*texts, first=first, last=last, most=2) is None


def test_line_that_repeats_addresses_counts(ranges):
    before = mapping(START, 2 * HUGE, resident=2 * HUGE, AnonHugePages=2 * HUGE)
    merged = mapping(START, 8 * HUGE, resident=2 * HUGE + PAGE, AnonHugePages=2 * HUGE)
    assert ranges(before, merged) == []
    later = mapping(START + HUGE, 8 * HUGE, resident=2 * HUGE + PAGE, AnonHugePages=2 * HUGE)
    assert ranges(before, later) == [(0, 1)]


def test_file_that_cannot_be_read():
    assert _core.huge_ranges_by_count("/nowhere/at/all", 0, 1 << 62, 1000) is None


class Kernel:
    """A kernel with 4 huge pages on nodes of their own, and small pages behind them.

    `queries` lists what is queried: addresses in pages from START, and whether one page stands for
    a huge page.
    """

    def __init__(self, monkeypatch):
        self.nodes = np.array([3, 1, 0, 2])
        self.readings = [[(0, 4)], [(0, 4)]]
        self.collapses = [5, 5]
        self.queries = []
        monkeypatch.setattr(smaps_shortcut, "FEWEST_PAGES", 1)
        monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 5 * EACH)
        monkeypatch.setattr(smaps_shortcut, "text_if_any", self.text)
        monkeypatch.setattr(smaps_shortcut._core, "huge_ranges_by_count", self.ranges)

    def text(self, path):
        if path.name == "meminfo":
            return f"MemFree: 1 kB\nAnonHugePages: {4 * HUGE // 1024} kB\nHugetlb: 0 kB"
        count = self.collapses.pop(0)
        return "" if count is None else f"thp_collapse_alloc_failed 1\nthp_collapse_alloc {count}"

    def ranges(self, path, first, last, _most):
        assert (path, first, last) == ("/proc/self/smaps", START, START + 5 * HUGE)
        found = np.array(self.readings.pop(0), np.uintp).reshape(-1, 2) * HUGE + START
        return found[:, 0].copy(), found[:, 1].copy()

    def ask(self, addresses, pages, *, fewest, in_huge_pages=False):
        assert fewest is None
        first = (addresses.astype(np.int64) - START) // PAGE
        self.queries += [
            (a, n, in_huge_pages) for a, n in zip(first.tolist(), pages.tolist(), strict=True)
        ]
        each = np.concatenate([np.arange(a, a + n) for a, n in zip(first, pages, strict=True)])
        status = np.append(self.nodes, 7)[each // EACH]
        return SurveyRuns(
            (START + each * PAGE).astype(np.uintp),
            np.ones(len(each), np.int64),
            status.astype(np.int32),
            np.full(len(each), 2 if in_huge_pages else 1, np.uint8),
        )

    def look(self):
        footprint = Footprint(START, 5 * HUGE)
        rows = np.array([START], np.uintp), np.array([5 * EACH])
        return smaps_shortcut.look(self.ask, *rows, footprint)


@pytest.fixture
def kernel(monkeypatch):
    return Kernel(monkeypatch)


ALL = (0, 5 * EACH, False)
HUGE_ONES, REST = (0, 4 * EACH, True), (4 * EACH, EACH, False)


def test_certain_huge_pages_are_asked_once(kernel):
    found = kernel.look()
    assert kernel.queries == [HUGE_ONES, REST]
    assert found.status.tolist() == np.repeat([3, 1, 0, 2, 7], EACH).tolist()
    assert (np.diff(found.address.astype(np.int64)) == PAGE).all()
    assert (found.kind == 1).all()


@pytest.mark.parametrize("after", [[], [(0, 3)], [(0, 2), (2, 4)], [(1, 4)]])
def test_another_second_reading_has_all_pages_queried(kernel, after):
    kernel.readings[1] = after
    found = kernel.look()
    assert kernel.queries == [HUGE_ONES, ALL]
    assert found.status.tolist() == np.repeat([3, 1, 0, 2, 7], EACH).tolist()


def test_collapse_meanwhile_has_all_pages_queried(kernel):
    kernel.collapses[1] += 1
    kernel.look()
    assert kernel.queries == [HUGE_ONES, ALL]


def test_pages_are_queried_if_collapses_are_not_counted(kernel):
    kernel.collapses = [None]
    kernel.look()
    assert kernel.queries == [ALL]


def test_no_certain_huge_page(kernel):
    kernel.readings = [[]]
    kernel.look()
    assert kernel.queries == [ALL]


def test_range_without_a_huge_page_is_queried_page_by_page(kernel):
    kernel.nodes[[0, 2]] = ABSENT
    found = kernel.look()
    assert kernel.queries[0] == HUGE_ONES
    assert not any(in_huge for _, _, in_huge in kernel.queries[1:])
    asked = sorted(page for first, n, _ in kernel.queries[1:] for page in range(first, first + n))
    assert asked == [*range(EACH), *range(2 * EACH, 3 * EACH), *range(4 * EACH, 5 * EACH)]
    assert found.status.tolist() == np.repeat([ABSENT, 1, ABSENT, 2, 7], EACH).tolist()


@pytest.mark.parametrize("reason", ["few pages", "no huge pages", "much other memory"])
def test_smaps_is_not_read_if_that_cannot_pay(kernel, monkeypatch, reason):
    kernel.readings = []
    if reason == "few pages":
        monkeypatch.setattr(smaps_shortcut, "FEWEST_PAGES", 5 * EACH + 1)
    elif reason == "no huge pages":
        monkeypatch.setattr(smaps_shortcut, "text_if_any", lambda _path: "AnonHugePages: 2048 kB")
    else:
        monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 8 * EACH)
    kernel.look()
    assert kernel.queries == [ALL]


@pytest.fixture
def old_kernel(monkeypatch):
    monkeypatch.setattr(smaps_shortcut, "kernel_scans", lambda: False)
    monkeypatch.setattr(smaps_shortcut, "FEWEST_PAGES", 1)
    monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 1)


@pytest.mark.parametrize("part", [slice(None), slice(PAGE + 7, -HUGE // 2)])
def test_array_of_huge_pages_here(huge_page_size, old_kernel, monkeypatch, part):
    a = memory.anonymous(64 * huge_page_size, huge=True)
    huge.fill(a)
    a = a[part]
    each = mp.where(a, shortcuts=False)
    in_huge = []
    survey = _core.survey

    def count(addresses, pages, *how):
        in_huge.append(int(pages.sum()) * how[-2])
        return survey(addresses, pages, *how)

    monkeypatch.setattr(_core, "survey", count)
    monkeypatch.setattr(smaps_shortcut, "_most_mappings", lambda _rows: 1 << 20)
    p = mp.where(a)
    assert p == each
    assert np.array_equal(p.status, each.status)
    assert sum(in_huge) == len(p.status)
