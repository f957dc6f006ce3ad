"""One guest: an emulated machine with four NUMA nodes, booted to run one command."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import devices
import numpy as np
import outcome
from kernels import Kernel

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SORTS = Path(__file__).with_name("sorts.py")
STDLIB = sysconfig.get_path("stdlib")
CACHED = "cached"
KHUGEPAGED = "/sys/kernel/mm/transparent_hugepage/khugepaged"
COMPACTION = "/proc/sys/vm/compaction_proactiveness"

# Two nodes with a CPU, two without as CXL memory has, one of them small enough to fill. (MiB, CPU)
NODES = ((1536, 0), (1024, 1), (1024, None), (256, None))


@dataclass(frozen=True)
class Machine:
    """Settings that may vary from one run of the lab to the next."""

    append: tuple[str, ...] = ()
    icount: bool = False
    avx: bool = False
    devices: bool = False
    parallel: bool = False


def vng_arguments(kernel: Kernel, folder: Path, machine: Machine) -> list[str]:
    """Return the virtme-ng command line that boots a kernel and runs the folder's script."""
    cpus = 1 if machine.icount else 2
    arguments = ["vng", "--verbose", "--disable-kvm", "--run", str(kernel.image)]
    arguments += ["--cpus", str(cpus), "-m", f"{sum(size for size, _ in NODES)}M"]
    for node, (size, cpu) in enumerate(NODES):
        has_cpu = cpu is not None and cpu < cpus
        without = f",initiator={devices.INITIATOR.get(node)}" if machine.devices else ""
        arguments += ["--numa", f"{size}M,cpus={cpu}" if has_cpu else f"{size}M{without}"]
    arguments += ["--force-9p", "--force-initramfs", "--disable-microvm", "--rwdir", str(folder)]
    # A guest that panics reboots at once, and QEMU exits instead of rebooting.
    append = ["panic=-1", "mitigations=off", *machine.append]
    if not machine.avx:
        # Without xsave there is no AVX, whose emulation sorts wrongly: see sorts.py.
        append.append("noxsave")
    # With a thread for each CPU, this emulation sometimes panics while it patches kernel text.
    qemu = f"-accel tcg,thread={'multi' if machine.parallel else 'single'}"
    if machine.icount:
        append += ["nokaslr", "numa_balancing=disable"]
        qemu += " -icount shift=0"
    qemu += f" -fsdev local,id={CACHED},path=/,security_model=none,readonly=on,multidevs=remap"
    qemu += f" -device virtio-9p-pci,fsdev={CACHED},mount_tag={CACHED}"
    if machine.devices:
        # Last: a device without a bus of its own would be put behind the newest bridge.
        qemu += f" {devices.qemu_options()}"
    for parameter in append:
        arguments += ["--append", parameter]
    script = shlex.quote(str(folder / outcome.SCRIPT))
    return [*arguments, f"--qemu-opts={qemu}", "-e", f"sh {script}"]


def pytest_command(folder: Path, arguments: Sequence[str]) -> str:
    """Return the shell command that runs the suite, or the part of it that arguments select."""
    # Otherwise khugepaged may join pages between two looks of any test, and kcompactd move them
    # within a node whose free memory is in pieces, such as a full one.
    rest = f"echo {2**32 - 1} >{KHUGEPAGED}/scan_sleep_millisecs && echo 0 >{COMPACTION} || exit\n"
    # -P: test only what is installed, never what happens to be in the working folder.
    command = [sys.executable, "-P", "-m", "pytest", "-m", "not host", "-p", "no:cacheprovider"]
    # An emulated guest is slow. More memories of each kind differ by their seed alone.
    command += ["--advice-variants=3", f"--junit-xml={folder / outcome.JUNIT}"]
    return rest + shlex.join([*command, *arguments])


def cache_files(folder: Path) -> str:
    """Return the part of the script that has the guest cache the files that it imports.

    virtme-ng mounts this machine's files without a cache. Python looks at thousands of files when
    it starts: without a cache, this takes more time than the tests.
    """
    results = shlex.quote(str(folder))
    options = f"ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose {CACHED}"
    lines = [
        f"mkdir -p /run/{CACHED} /run/results",
        f"mount -t 9p -o {options} /run/{CACHED} || exit",
        f"mount --bind {results} /run/results",
    ]
    for path in map(shlex.quote, (str(ROOT), STDLIB)):
        lines.append(f"mount --bind /run/{CACHED}{path} {path}")
    # The folder for results may be inside the root, and would be hidden.
    return "\n".join([*lines, f"mount --bind /run/results {results}", ""])


def without_avx() -> str:
    """Return the part of the script that keeps numpy from AVX, whose emulation sorts wrongly."""
    known = np.show_config("dicts")["SIMD Extensions"]
    features = [*known["found"], *known["not found"]]
    return f"export NPY_DISABLE_CPU_FEATURES={shlex.quote(' '.join(features))}\n"


def script_text(command: str, folder: Path) -> str:
    """Return the script that a guest runs; it writes output and exit status to the folder.

    A guest in which numpy sorts wrongly ends at once: nothing that it reports can be trusted.
    """
    output, status = (shlex.quote(str(folder / n)) for n in (outcome.OUTPUT, outcome.STATUS))
    return f"""\
cd {shlex.quote(str(ROOT))} || exit
export PATH={shlex.quote(str(BIN))}:"$PATH" LANG=C.UTF-8
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis
{shlex.quote(sys.executable)} {shlex.quote(str(SORTS))} >{output} 2>&1 </dev/null \
  && sh -c {shlex.quote(command)} >{output} 2>&1 </dev/null
echo $? >{status}.part
mv {status}.part {status}
"""


class Guest:
    """A booted guest, from its first process to its last.

    Parameters
    ----------
    kernel : Kernel
        Kernel to boot.
    folder : Path
        Result folder, the only place that the guest can write to.
    command : str
        Shell command to run in the guest.
    machine : Machine
        Kernel parameters, and how time is counted.
    """

    def __init__(self, kernel: Kernel, folder: Path, command: str, machine: Machine) -> None:
        self.kernel = kernel
        self.folder = folder
        outcome.clear(folder)
        script = cache_files(folder) + script_text(command, folder)
        if machine.avx:
            script = without_avx() + script
        (folder / outcome.SCRIPT).write_text(script)
        vng = shutil.which("vng", path=BIN)
        if vng is None:
            msg = f"no vng in {BIN}; install it there: pip install 'movepages[lab]'"
            raise FileNotFoundError(msg)
        # virtme-ng leaves its initramfs behind when killed: it gets a folder that is removed.
        self._scratch = tempfile.TemporaryDirectory(prefix="movepages-lab-")
        path = f"{BIN}:{os.environ.get('PATH', os.defpath)}"
        self._started = time.monotonic()
        # A pipe: QEMU opens its output a second time, and would truncate a file.
        self._process = subprocess.Popen(
            [vng, *vng_arguments(kernel, folder, machine)[1:]],
            cwd=ROOT,
            env={**os.environ, "PATH": path, "TMPDIR": self._scratch.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._console = (folder / outcome.CONSOLE).open("wb")

    @property
    def seconds(self) -> float:
        """Seconds since the guest was started."""
        return time.monotonic() - self._started

    def pump(self) -> None:
        """Copy the console's output since the last call to its file."""
        try:
            while chunk := os.read(self._pipe, 65536):
                self._console.write(chunk)
        except BlockingIOError:
            pass
        self._console.flush()

    def running(self) -> bool:
        """Return whether the guest still runs. Its process is not reaped, so the pid is valid."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, options) is None

    def close(self, killed: str = "") -> outcome.Outcome:
        """End whatever is left of the guest, and read the files that it left."""
        seconds = self.seconds
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.pump()
        self._process.stdout.close()
        self._console.close()
        self._scratch.cleanup()
        return outcome.read(self.folder, self.kernel.version, seconds, killed)
