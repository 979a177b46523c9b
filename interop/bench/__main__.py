"""Run the benchmarks: ``python -m interop.bench [KIND]``; see ``KINDS``.

``python -m interop.bench gate`` compares the cost of a parse, a response and a call with the stored budgets;
``python -m interop.bench attack`` places good calls beside floods from another address.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interop.bench import (
    aside,
    attack,
    connections,
    gate,
    held_calls,
    kept,
    machine,
    media,
    messages,
    plot,
    progress,
    report,
    signalling,
    streams,
)
from interop.bench.capacity import command as capacity
from interop.bench.gate import GateError
from interop.bench.machine import CpuTime
from interop.bench.report import Table
from interop.bench.uas_load import CLIENT_CORE
from interop.sipp.process import installed

KINDS = ("signalling", "messages", "media", "memory", "scale", "streams", "connections", "kept", "aside")
ABOUT = """\
signalling   calls and registrations a second, as UAS and as UAC, beside sipp and a floor without SIP
messages     microseconds to parse and to write a message
media        two-way calls that one core carries with 99 of 100 packets less than 5 ms late: a floor that only
             moves the packets, sipstack plain, with SDES-SRTP, with Opus and as a relay, aiortp and aiortc
memory       octets that a call at rest takes
scale        calls held at once
streams      calls over TCP, TLS and WebSocket
connections  connections held and made
kept         calls that outlive their process, by where they are kept
aside        memory of a call whose record is out of the process
gate         parse, response and call against stored budgets
attack       good calls beside floods from another address
capacity     what a cluster carries, by simulation: it has options of its own (capacity --help)

Ratios within one run tell something; figures of two machines, or of a busy one, do not.
"""
QUIET = 0.05
"""Share of the CPU time that others may use without a warning."""
NEEDS_SIPP = {"signalling", "memory", "scale", "streams", "kept", "aside"}


def main() -> int:
    """Returns the exit status: 0 done, 1 the gate is closed, 2 usage or something is missing."""
    if sys.argv[1:2] == ["capacity"]:
        return capacity.main(sys.argv[2:])
    options = _parser().parse_args()
    if options.kind == "gate":
        return _gate(options)
    if options.kind == "attack":
        with tempfile.TemporaryDirectory() as name:
            sys.stdout.write(attack.table(Path(name), options.only).text())
        return 0
    kinds = {options.kind} if options.kind else set(KINDS)
    if kinds & NEEDS_SIPP and not installed():
        sys.stderr.write("there is no sipp on PATH (Debian: apt-get install sip-tester)\n")
        return 2
    busy = machine.busy()
    if busy > QUIET:
        sys.stdout.write(f"other programs use {busy:.0%} of this machine: the figures will be low\n\n")
    before, found = CpuTime.now(), []
    with tempfile.TemporaryDirectory() as folder:
        for table in _tables(kinds, Path(folder), options):
            progress.clear()
            sys.stdout.write(table.text() + "\n")
            sys.stdout.flush()
            found.append(table)
    steal = CpuTime.now().stolen_since(before)
    sys.stdout.write(f"CPU time stolen by the host during the run: {steal:.1%}\n")
    report.write_json(found, options.json, steal=steal, busy=busy)
    plot.write(found, options.plot)
    return 0


def _tables(kinds: set[str], folder: Path, options: argparse.Namespace) -> Iterator[Table]:
    if "messages" in kinds:
        yield messages.measure(options.quick)
    if "media" in kinds:
        yield media.measure(options.quick)
    os.sched_setaffinity(0, {CLIENT_CORE})  # so as not to disturb the core under measurement
    if "signalling" in kinds:
        yield signalling.as_uas(folder, options.quick, options.peers)
        yield from signalling.as_uac(folder, options.quick)
    if kinds & {"memory", "scale"}:
        yield from (table for table in held_calls.tables(folder, options.quick) if table.name in kinds)
    if "streams" in kinds:
        yield from streams.tables(folder, options.quick)
    if "connections" in kinds:
        yield connections.table(folder, options.quick)
    if "kept" in kinds:
        yield kept.table(folder, options.quick)
    if "aside" in kinds:
        yield aside.table(folder, options.quick)


def _gate(options: argparse.Namespace) -> int:
    try:
        if options.record:
            gate.record()
            return 0
        verdicts = gate.judge(options.plant)
    except GateError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(gate.table(verdicts).text())
    return 0 if all(verdict.kept for verdict in verdicts) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m interop.bench",
        description="Measure sipstack on this machine.",
        epilog=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "kind",
        nargs="?",
        choices=(*KINDS, "gate", "attack", "capacity"),
        help="all but the last three if not given",
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="attack: floods whose name contains TEXT")
    parser.add_argument(
        "--peers", action="store_true", help="signalling: measure other stacks in the same run"
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs and fewer of them")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE", help="(bench.json)")
    parser.add_argument("--plot", type=Path, default=Path("bench.svg"), metavar="FILE", help="(bench.svg)")
    parser.add_argument(
        "--record", action="store_true", help="gate: store what is measured as the new budgets"
    )
    parser.add_argument("--plant", type=float, default=0.0, metavar="FRACTION", help="gate: plant a slowdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
