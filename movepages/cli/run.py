"""``movepages run``: run a command on chosen CPUs, with memory from chosen nodes."""

from __future__ import annotations

import argparse
import threading
import time

import movepages as mp

from ..memory.policy_modes import PolicyMode, as_policy
from ..processes.execution import CannotRunError, Running, become, end_alike
from ..processes.placing import CpusRefusedError, Placing, place_thread
from ..processes.usage import TreeUsage
from ..system.signal_safe import signal_safe_thread, start_thread
from .failures import complain
from .id_lists import HELP, cpus, cpus_of_nodes, device, memory_nodes, one_node
from .json_output import Commands, add_json_option
from .run_report import Report, show_report, why_not_writable
from .weights import differing_weights, parse_weights

_DESCRIPTION = """\
Run a command on chosen CPUs, with memory from chosen nodes. The processes that
it starts inherit both. Without --report, the command replaces this process.
With --report, this process reports at the end how much memory the command and
all its children had on each node. Options of numactl(8) mean the same here.
"""

_EPILOG = f"""\
{HELP}
exit status:
  that of the command, or the signal that ended it
  1    with --strict: the kernel or a sandbox refuses the CPUs or the policy
  2    wrong arguments, such as a node that does not exist; nothing has run
  126  the command cannot be executed; 127: there is no such command
"""


class RefusedError(Exception):
    """A part of the placement was refused, and --strict does without the command then."""


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "run",
        help=about,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="movepages run [options] [--] COMMAND [ARGUMENT ...]",
    )
    policy = parser.add_argument_group("memory (one of these)").add_mutually_exclusive_group()
    policy.add_argument(
        "-m", "--membind", "--node", "--nodes", type=memory_nodes, metavar="NODES", dest="bind",
        help="from these nodes alone; when they are full, the out-of-memory killer ends a process",
    )  # fmt: skip
    policy.add_argument(
        "-p", "--preferred", type=one_node, metavar="NODE",
        help="from this node, and from others when it is full",
    )  # fmt: skip
    policy.add_argument(
        "-P", "--preferred-many", type=memory_nodes, metavar="NODES",
        help="from these nodes, and from others when they are full",
    )  # fmt: skip
    policy.add_argument(
        "-i", "--interleave", type=memory_nodes, metavar="NODES",
        help="page by page from these nodes in turn",
    )  # fmt: skip
    policy.add_argument(
        "-w", "--weighted", "--weighted-interleave", type=parse_weights, metavar="WEIGHTS",
        help="in turn by weights such as 0:3,1:1, which the kernel keeps for all processes "
        "(Linux 6.9 or later)",
    )  # fmt: skip
    policy.add_argument(
        "-l", "--localalloc", action="store_true", help="from the node of the CPU that asks for it"
    )
    where = parser.add_argument_group("CPUs (one of these)").add_mutually_exclusive_group()
    where.add_argument(
        "-C", "--physcpubind", "--cpus", type=cpus, metavar="CPUS", dest="cpus", help="these CPUs"
    )
    where.add_argument(
        "-N", "--cpunodebind", "--cpunodes", type=cpus_of_nodes, metavar="NODES", dest="cpunodes",
        help="the CPUs of these nodes",
    )  # fmt: skip
    parser.add_argument(
        "--near", type=device, metavar="DEVICE",
        help="CPUs and preferred memory of the node nearest to a device such as eth0 or cuda:0",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true",
        help="do not run the command if the CPUs or the policy cannot be set, as in a sandbox",
    )  # fmt: skip
    parser.add_argument(
        "--report", action="store_true", help="print a report to standard error at the end"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the report to a file (implies --report)"
    )
    add_json_option(parser)
    parser.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments"
    )
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    reports = options.report or options.output
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        options.parser.error("expected a command")
    if not command[0]:
        # Python raises a ValueError for the name that execvp(3) does not find.
        complain("'': No such file or directory")
        return 127
    if options.json and not reports:
        options.parser.error("argument --json: only the report of --report is printed as JSON")
    if options.output and (why := why_not_writable(options.output)):
        options.parser.error(f"argument -o/--output: {options.output!r}: {why}")
    placing = _placing(options)
    try:
        if reports:
            return _run_and_report(options, command, placing)
        _place(options, placing)
        become(command)
    except CpusRefusedError as error:
        status, why = 2, str(error)
    except RefusedError as refused:
        status, why = 1, f"{refused}; --strict: the command does not run"
    except CannotRunError as error:
        status, why = error.args
    complain(why)
    return status


def _placing(options: argparse.Namespace) -> Placing:
    if options.near is not None:
        return _near(options)
    wanted = {
        PolicyMode.BIND: options.bind,
        PolicyMode.PREFERRED: options.preferred,
        PolicyMode.PREFERRED_MANY: options.preferred_many,
        PolicyMode.INTERLEAVE: options.interleave,
        PolicyMode.WEIGHTED_INTERLEAVE: tuple(options.weighted or ()),
    }
    mode = next((mode for mode, nodes in wanted.items() if nodes), None)
    nodes = wanted[mode] if mode is not None else ()
    if mode is not None:
        try:
            as_policy(nodes, mode.name.lower().replace("_", "-"))
        except mp.MovePagesError as error:
            options.parser.error(str(error.strerror))
    if options.localalloc:
        mode = PolicyMode.LOCAL
    cpus = options.cpus or options.cpunodes or ()
    return Placing(cpus, bool(options.cpus), None if mode is None else mode.value, nodes)


def _near(options: argparse.Namespace) -> Placing:
    others = ("bind", "preferred", "preferred_many", "interleave", "weighted", "localalloc")
    if any(getattr(options, name) for name in (*others, "cpus", "cpunodes")):
        options.parser.error("argument --near: it sets memory and CPUs; leave out the others")
    near = options.near
    return Placing(near.cpus, False, PolicyMode.PREFERRED.value, (near.node,))


def _place(options: argparse.Namespace, placing: Placing) -> list[str]:
    refused = place_thread(placing)
    if options.weighted and not refused:
        refused.extend(filter(None, [differing_weights(options.weighted)]))
    if refused and options.strict:
        raise RefusedError("; ".join(refused))
    for sentence in refused:
        complain(sentence)
    return refused


def _run_and_report(options: argparse.Namespace, command: list[str], placing: Placing) -> int:
    refused: list[str] = []
    running = Running(command, lambda: refused.extend(_place(options, placing)))
    ended, begin = threading.Event(), time.monotonic()
    with running.started():
        usage = TreeUsage(running.pid)
        sampler = signal_safe_thread(usage.keep_looking, args=(ended,))
        start_thread(sampler)
        try:
            running.wait()
        finally:
            end = time.monotonic()
            ended.set()
            sampler.join()
        # The last look may be later than the end.
        age = max(end - usage.at, 0.0)
        show_report(options, Report(command, running, usage, refused, end - begin, age))
    return end_alike(running.status)
