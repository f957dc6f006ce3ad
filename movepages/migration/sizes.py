"""How many pages a move takes at a time."""

# A slice of this size needs about 6 MiB of scratch memory. It holds 256 huge pages, whose copying
# takes longer than the fixed cost of a call on the largest machines.
SLICE_PAGES = 1 << 17
# A query result must be recent when it is used, so at most 1 GiB is queried ahead.
MOVE_PAGES = 1 << 18
