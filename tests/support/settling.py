"""The wait until another process takes no more memory."""

import time
from pathlib import Path

PATIENCE_S = 300


def until_asleep(pid: int) -> None:
    """Wait until a process sleeps, as a child of `processes` does once it waits for a call.

    A child has sent its answer before it waits, and still touches pages on its way there.
    """
    until = time.monotonic() + PATIENCE_S
    # The state follows the name, which may contain anything.
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < until, f"process {pid} does not sleep"
        time.sleep(0.001)
