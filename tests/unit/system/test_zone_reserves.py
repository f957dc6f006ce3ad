"""Free memory that the kernel keeps, from /proc/zoneinfo."""

import mmap

from movepages._core import HUGE_PAGE_BYTES
from movepages.system.node_cpus import cpus_beside, cpus_of
from movepages.system.zone_reserves import zone_reserves

TEXT = """\
Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 92139
      nr_free_cma  7
  pages free     3840
        boost    0
        min      10
        low      13
        high     16
        spanned  4095
        protection: (0, 2979, 3911, 3911, 3911)
      nr_free_pages 3840
  pagesets
    cpu: 0
              count:    0
              high:     14
  node_unreclaimable:  0
Node 0, zone    DMA32
  pages free     90000
        high     1000
        protection: (0, 0, 932, 932, 932)
  pagesets
    cpu: 0
              high:     14
Node 12, zone   Normal
  pages free     50
        high     200
        protection: (0, 0, 0, 0, 0)
Node 12, zone  Movable
  pages free     0
        high     0
"""


def test_watermarks_and_protected_zones():
    found = zone_reserves(TEXT)
    assert found == {0: (3840 + 1932) * mmap.PAGESIZE, 12: 50 * mmap.PAGESIZE}
    assert found[5] == 0


def test_watermarks_may_be_raised_by_a_huge_page():
    """The zone is one of 256 MiB with pages of 16 KiB, where a huge page has 32 MiB."""
    huge = HUGE_PAGE_BYTES // mmap.PAGESIZE
    text = "Node 3, zone Normal\n pages free {}\n boost {}\n min {}\n high {}\n managed {}\n"
    for boost in (0, huge):
        here = text.format(9 * huge, boost, 800 + boost, 800 + huge // 2 + boost, 8 * huge)
        kept = 800 + huge // 2 * (3 if boost else 2)
        assert zone_reserves(here) == {3: kept * mmap.PAGESIZE}
    # The kernel leaves small zones alone.
    small = text.format(9 * huge, 0, 800, 800 + huge // 2, 4 * huge - 1)
    assert zone_reserves(small) == {3: (800 + huge // 2) * mmap.PAGESIZE}


def test_without_the_file():
    assert zone_reserves("") == {}


def test_of_this_machine():
    found = zone_reserves()
    assert all(each >= 0 for each in found.values())


def test_cpus_near():
    cpus = cpus_beside(0, range(4096)).tolist()
    assert 0 in cpus
    assert cpus_of(0, ()).tolist() == []
    assert cpus_of(1023, range(4096)).tolist() == []
    assert cpus_beside(4095, range(4096)).tolist() == [4095]
