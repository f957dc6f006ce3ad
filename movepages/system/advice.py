"""Advice values for madvise(2) that the standard library's mmap module lacks.

Source: include/uapi/asm-generic/mman-common.h.
"""

MADV_COLD = 20
MADV_POPULATE_READ = 22
MADV_POPULATE_WRITE = 23
MADV_COLLAPSE = 25
