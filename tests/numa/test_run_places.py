"""``movepages run`` on several nodes: each thread's CPUs and each page of real children."""

import json
import subprocess
import sys

import pytest

from support import nodes

# Threads, and children by each way that multiprocessing has. Each of them fills memory of its own,
# and tells where it may run, by which policy, and where its pages are: all from /proc.
PROGRAM = """
import json, mmap, multiprocessing, os, sys, threading, time
from support import memory, nodes, witness

PAGES = 64

def look(tell, name, stay=0):
    held = memory.anonymous(PAGES * memory.PAGE)
    memory.touch(held)
    status = open("/proc/thread-self/status").read()
    cpus = status.partition("Cpus_allowed_list:")[2].split()[0]
    mapping = witness.numa_maps()[held.ctypes.data]
    asked = witness.nodes_of(memory.pages_of(held)).tolist()
    tell([name, os.getpid(), nodes.parse_list(cpus), mapping.policy, mapping.nodes, asked])
    time.sleep(stay)

def main():
    found, children = [], []
    threads = [threading.Thread(target=look, args=(found.append, "thread")) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    for way in sys.argv[2:]:
        context = multiprocessing.get_context(way)
        queue = context.SimpleQueue()
        children.append(context.Process(target=look, args=(queue.put, way, float(sys.argv[1]))))
        children[-1].start()
        found.append(queue.get())
    for child in children: child.join()
    print(json.dumps(found))

if __name__ == "__main__":
    main()
"""
WAYS = ("fork", "spawn", "forkserver")


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def found_by(*options, program, ways=WAYS[:2], stay=0):
    """Return what each thread and child told, and the report; children live `stay` seconds."""
    command = [sys.executable, "-P", "-m", "movepages", "run", *map(str, options), "--"]
    done = subprocess.run(
        [*command, sys.executable, program, str(stay), *ways],
        capture_output=True, text=True, check=True,
        env={"PYTHONPATH": "tests", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert [each[0] for each in found] == ["thread"] * 3 + [*ways]
    return found, done.stderr


def cpus_of(node):
    return [*nodes.parse_list((nodes.SYSFS / f"node{node}" / "cpulist").read_text())]


def test_bound_on_a_node_with_its_cpus_and_reported(two_nodes, program):
    there = two_nodes[1]
    options = ["--node", there, "--cpunodes", there, "--report", "--json"]
    found, said = found_by(*options, program=program, ways=WAYS, stay=25)
    for _, _, cpus, policy, per_node, asked in found:
        assert (cpus, policy) == (cpus_of(there), f"bind:{there}")
        assert per_node == {str(there): 64}
        assert set(asked) == {there}
    report = json.loads(said)
    seen = {each["pid"]: each for each in report["processes"]}
    assert {pid for _, pid, *_ in found} <= seen.keys()
    # A machine as slow as this may have no time to sample each of them.
    peaks = {pid: seen[pid]["peak"]["bytes_per_node"] for _, pid, *_ in found}
    sampled = [peak for peak in peaks.values() if peak]
    assert peaks[found[0][1]] in sampled
    # Files that were in memory before are on any node.
    assert all(peak[str(there)] > 64 << 12 for peak in sampled)
    assert report["most"]["bytes_per_node"][str(there)] > 8 << 20


def test_interleaved(two_nodes, program):
    here, there = two_nodes
    for _, _, _, policy, per_node, asked in found_by(f"-i{here},{there}", program=program)[0]:
        assert policy == f"interleave:{here}-{there}" if there == here + 1 else policy
        assert per_node == {str(here): 32, str(there): 32}
        assert set(asked) == {here, there}


def test_preferred_on_other_cpus(two_nodes, program):
    here, there = two_nodes
    options = ["-p", here, "--cpus", nodes.parse_list(str(cpus_of(there)[0]))[0]]
    for _, _, cpus, policy, per_node, _ in found_by(*options, program=program)[0]:
        assert (cpus, policy) == (cpus_of(there)[:1], f"prefer:{here}")
        assert per_node == {str(here): 64}


def test_memory_only_node(memory_only_node, program):
    for *_, per_node, asked in found_by("--node", memory_only_node, program=program)[0]:
        assert per_node == {str(memory_only_node): 64}
        assert set(asked) == {memory_only_node}


def test_weights(two_nodes):
    here, there = two_nodes
    command = [sys.executable, "-P", "-m", "movepages", "run", f"--weighted={here}:3,{there}:1"]
    done = subprocess.run([*command, "cat", "/proc/self/numa_maps"], capture_output=True, text=True)
    assert done.returncode == 0
    if "the memory policy is not set" in done.stderr:
        pytest.skip("needs Linux 6.9 for weighted interleaving")
    # Each node has the weight 1, until root changes that.
    assert "the kernel has one weight for each node" in done.stderr
    assert "weighted interleave:" in done.stdout
