"""``streams``: the calls a second that one core answers over each transport.

Two tables. In one the client is sipp, over UDP and over one connection of TCP, beside sipp's own UAS. In the
other it is `stream_calls`, which speaks TLS and WebSocket too, as sipp (Debian) does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from interop.bench import progress, rate_search, signalling, subjects
from interop.bench.machine import CpuTime
from interop.bench.pipes import TRANSPORTS
from interop.bench.rate_search import Run
from interop.bench.report import Row, Table, Value
from interop.bench.server import ROOT, Recipe, Server, StartError, python
from interop.bench.uas_load import CLIENT_CORE, SERVER_CORE, UasLoad
from sipstack.testing.certificates import CertificateAuthority

WARM_UP = 0.5
"""Seconds of calls before those that count."""
SIPP_TCP = attrs.evolve(
    subjects.SIPP, name="sipp -sn uas -t t1", command=[*subjects.SIPP.command, "-t", "t1"], protocol="tcp"
)


def uas(transport: str, folder: Path, *options: str) -> Recipe:
    """Our UAS over a transport, whose certificates are in the folder."""
    recipe = python(
        f"sipstack over {transport}", "interop.bench.stream_uas", transport, "{port}", str(folder), *options
    )
    return attrs.evolve(recipe, protocol="udp" if transport == "udp" else "tcp")


def write_certificates(folder: Path) -> None:
    """An authority, and a certificate for 127.0.0.1."""
    authority = CertificateAuthority()
    authority.write(folder)
    authority.issue("127.0.0.1").write(folder, "server")


def tables(folder: Path, quick: bool) -> list[Table]:
    """Both, measured in one run."""
    write_certificates(folder)
    return [_beside_sipp(folder, quick), _each(folder, quick)]


# -- sipp calls ------------------------------------------------------------------------------------------


def _beside_sipp(folder: Path, quick: bool) -> Table:
    chosen = [
        (subjects.SIPP, 6000),
        (uas("udp", folder), 1500),
        (SIPP_TCP, 6000),
        (uas("tcp", folder), 1500),
    ]
    rows, references = [], dict[str, Run | None]()
    for recipe, start in chosen:
        try:
            with UasLoad(recipe, folder, 1.5 if quick else 2.5) as load:
                best = rate_search.ceiling(load, start, tries=2 if quick else 3)
        except StartError as error:
            rows.append(Row(recipe.name, missing=str(error)))
            continue
        reference = references.setdefault(recipe.protocol, best)
        if best is None:
            rows.append(Row(recipe.name, missing="no rate was without failed calls"))
        else:
            rows.append(Row(recipe.name, signalling.figures(best, reference)))
    return Table("streams", "sipp -sn uac calls, over UDP and with -t t1; ratios to sipp's UAS there", rows)


# -- our client calls ------------------------------------------------------------------------------------


@attrs.frozen
class Answered:
    """One run of `stream_calls`."""

    rate: float
    """Calls a second."""
    cpu_us: float
    """CPU time of the server, in microseconds a call."""
    client: float
    """Share of a core that the client used: near 1, it was the bottleneck."""
    failed: int
    steal: float


def _each(folder: Path, quick: bool) -> Table:
    best: dict[str, Answered] = {}
    missing: dict[str, str] = {}
    for _ in range(1 if quick else 3):
        for transport in TRANSPORTS:
            progress.show(f"stream_calls over {transport}")
            try:
                found = _answered(transport, folder, 2.0 if quick else 5.0)
            except (StartError, OSError, subprocess.SubprocessError) as error:
                missing[transport] = str(error)
                continue
            if transport not in best or found.rate > best[transport].rate:
                best[transport] = found
    what = "interop.bench.stream_calls calls as fast as it is answered, 64 at a time, one connection"
    return Table("streams", what, rows(best, missing))


def _answered(transport: str, folder: Path, seconds: float) -> Answered:
    with Server(uas(transport, folder), folder, SERVER_CORE) as server:
        place(transport, server.port, folder, WARM_UP)
        before, steal = server.cpu_seconds, CpuTime.now()
        figures = place(transport, server.port, folder, seconds)
        spent = server.cpu_seconds - before
    done = figures["done"]
    return Answered(
        rate=done / figures["seconds"],
        cpu_us=spent / done * 1e6,
        client=figures["busy"],
        failed=round(figures["failed"]),
        steal=CpuTime.now().stolen_since(steal),
    )


def place(transport: str, port: int, folder: Path, seconds: float) -> dict[str, float]:
    """What `stream_calls` prints. Raises subprocess.SubprocessError."""
    arguments = (transport, str(port), str(folder), str(seconds))
    process = subprocess.run(
        [sys.executable, "-m", "interop.bench.stream_calls", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds + 30,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
    )
    figures: dict[str, float] = json.loads(process.stdout)
    return figures


def rows(best: dict[str, Answered], missing: dict[str, str]) -> Sequence[Row]:
    """One a transport; the ratios are to UDP and TCP in this very run."""
    found = []
    for transport in TRANSPORTS:
        run = best.get(transport)
        if run is None:
            found.append(Row(transport, missing=missing.get(transport, "")))
            continue
        figures: dict[str, Value] = {signalling.RATE: run.rate}
        for other in ("udp", "tcp"):
            figures[f"ratio to {other}"] = run.rate / best[other].rate if other in best else None
        figures |= {
            signalling.CPU: run.cpu_us,
            "failed": run.failed,
            "client's core": run.client,
            "steal": run.steal,
        }
        found.append(Row(transport, figures))
    return found
