"""How many pages a move takes at a time."""

import mmap

# A slice needs at most about 6 MiB of scratch memory. Its huge pages, 256 of 2 MiB, take longer
# than the fixed cost of a moving call, which is 26 ms at worst.
SLICE_PAGES = (512 << 20) // mmap.PAGESIZE
# A query result must be recent when it is used, so at most 1 GiB is queried ahead.
MOVE_PAGES = (1 << 30) // mmap.PAGESIZE
