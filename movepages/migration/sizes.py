"""How many pages a move takes at a time."""

# A slice needs about 3 MiB of scratch memory, and is one chunk of the driver.
SLICE_PAGES = 1 << 16
# A query result must be recent when it is used, so at most 1 GiB is queried ahead.
MOVE_PAGES = 1 << 18
