"""Hold small pages for other processes to move: print their address and wait.

python benchmarks/held.py BYTES
"""

import sys

from harness import memory

if __name__ == "__main__":
    array = memory.small_pages(int(sys.argv[1]))
    print(array.ctypes.data, flush=True)
    sys.stdin.read()
