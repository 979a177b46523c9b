"""``signalling``: the highest rate of calls that a core carries, as UAS and as UAC, and what a call costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interop.bench import loops, rate_search, subjects
from interop.bench.rate_search import Run
from interop.bench.report import Row, Table, Value
from interop.bench.server import StartError
from interop.bench.subjects import Subject
from interop.bench.uac_load import UacLoad
from interop.bench.uas_load import UasLoad

WHAT = "highest rate with no failed call and no retransmission; UDP, one core each for sipp and the subject"
RATE = "calls/s"
CPU = "µs CPU a call"


def as_uas(folder: Path, quick: bool, peers: bool) -> Table:
    """``sipp -sn uac -d 0`` calls each subject, sipp's own UAS and the floor in one run."""
    chosen = [*subjects.OURS, *(subjects.PEERS if peers else [])]
    best: dict[str, Run] = {}
    missing: dict[str, str] = {}
    for _ in range(1 if quick else 2):
        for subject in chosen:
            if subject.name not in missing:
                _climb(subject, folder, quick, best, missing)
    return Table("signalling, UAS", f"INVITE 200 ACK BYE 200: {WHAT}", rows(chosen, best, missing))


def _climb(
    subject: Subject, folder: Path, quick: bool, best: dict[str, Run], missing: dict[str, str]
) -> None:
    """One search: the subject's best run so far goes to ``best``, or why there is none to ``missing``."""
    try:
        with UasLoad(subject.make(folder), folder, 1.5 if quick else 2.5) as load:
            top = rate_search.ceiling(load, subject.start, tries=2 if quick else 3)
    except StartError as error:
        missing[subject.name] = str(error)
        return
    if top is not None and (subject.name not in best or top.rate > best[subject.name].rate):
        best[subject.name] = top


def rows(chosen: Sequence[Subject], best: dict[str, Run], missing: dict[str, str]) -> list[Row]:
    """One row a subject; the ratio is to sipp's rate in this very run."""
    reference = best.get(subjects.SIPP.name)
    return [_row(one.name, best.get(one.name), reference, missing.get(one.name)) for one in chosen]


def _row(name: str, run: Run | None, reference: Run | None, missing: str | None) -> Row:
    if run is None:
        return Row(name, missing=missing or "no rate was without failed calls or retransmissions")
    return Row(name, figures(run, reference))


def figures(run: Run, reference: Run | None) -> dict[str, Value]:
    """The figures of the best run of a search."""
    return {
        RATE: run.rate,
        "ratio to sipp": run.rate / reference.rate if reference else None,
        CPU: run.cpu_us,
        "steal": run.steal,
    }


def as_uac(folder: Path, quick: bool) -> list[Table]:
    """sipstack calls ``sipp -sn uas``, beside what sipp's own UAC reaches against it; then it registers."""
    seconds = 1.5 if quick else 2.5
    tries = 2 if quick else 3
    with UasLoad(subjects.SIPP, folder, seconds) as load:
        reference = rate_search.ceiling(load, 6000, tries)
    placed = rate_search.ceiling(UacLoad("calls", folder, seconds), 500, tries)
    faster = None
    if loops.has_uvloop():
        faster = rate_search.ceiling(UacLoad("calls", folder, seconds, loops.UVLOOP), 500, tries)
    registered = rate_search.ceiling(UacLoad("registrations", folder, seconds), 500, tries)
    calling = [
        _row("sipp -sn uac", reference, reference, None),
        _row("sipstack", placed, reference, None),
        _row(
            "sipstack on uvloop", faster, reference, None if loops.has_uvloop() else "uvloop is not installed"
        ),
    ]
    calling[0].figures.pop(CPU, None)  # it is that of the UAS
    registering = [Row("sipstack", missing="no rate was without failures or retransmissions")]
    if registered is not None:
        found = {
            "registrations/s": registered.rate,
            "µs CPU each": registered.cpu_us,
            "steal": registered.steal,
        }
        registering = [Row("sipstack", {**found})]
    return [
        Table("signalling, UAC", f"calls placed to sipp -sn uas: {WHAT}", calling),
        Table(
            "registrations", f"each made and removed, two REGISTERs, at a sipp registrar: {WHAT}", registering
        ),
    ]
