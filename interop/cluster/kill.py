"""What kill -9 of a node costs: ``python -m interop.cluster.kill --calls 1000 --store redis|sealed|sqlite``.

A plain SIPp, which knows nothing of it, places calls through Kamailio; all are at node 1 when it is killed.
Each then sends a re-INVITE and a BYE. With redis and sealed node 2 answers; with sqlite node 1, started
again.

``--refresher``: SIPp supports session timers (of 90 s, the least that RFC 4028 allows), so that it is the one
who refreshes; it does so twice, each time ``--stay`` seconds later, in place of its re-INVITE.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from interop.cluster.cluster import Cluster, running
from interop.sipp.process import Result, Sipp

MARGIN = 5.0
"""Seconds between the last call and the kill."""
SETTLED = 1.0
"""Seconds from the last call until node 2 is started, which is to have none of them. In what is left of
``MARGIN`` the proxy, which asks once a second, learns that it is there.
"""


@attrs.frozen
class Answered:
    """One request of SIPp's: when it was answered (seconds since SIPp began), and how long that took."""

    name: str
    at: float
    took: float


@attrs.frozen
class Killed:
    """``at``: when, in seconds since SIPp began (to some 20 ms: it does not tell that)."""

    calls: int
    at: float
    answered: list[Answered]
    result: Result

    @property
    def lost(self) -> int:
        """Calls whose re-INVITE or BYE was not answered with 200."""
        return self.calls - self.result.statistics.successful

    def of(self, name: str) -> list[float]:
        """How long those took that were asked after the kill, in order."""
        return sorted(each.took for each in self.answered if each.name == name and self._after(each))

    def _after(self, answer: Answered) -> bool:
        return answer.at - answer.took >= self.at

    @property
    def first_answer(self) -> float:
        """Seconds from the kill to the first answer to what was asked after it."""
        return min(each.at for each in self.answered if self._after(each)) - self.at

    def __str__(self) -> str:
        lines = [
            f"{self.calls} calls, {self.lost} lost; first answer {self.first_answer:.3f} s after the kill"
        ]
        for name, what in (("change", "re-INVITE"), ("refresh", "UPDATE"), ("bye", "BYE")):
            took = self.of(name)
            if took:
                p50, p99 = (took[min(int(len(took) * part), len(took) - 1)] for part in (0.5, 0.99))
                text = f"p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, longest {took[-1] * 1e3:.1f} ms"
                lines.append(f"  {what:<10} {len(took):>5} answered after the kill: {text}")
        return "\n".join(lines)


def kill(
    kind: str, calls: int, rate: float, folder: Path, *, scenario: str = "uac_stays", stay: float = 0.0
) -> Killed:
    """Place the calls, kill node 1, wait for all of them to end. ``stay``: seconds, if not the least."""
    again = kind == "sqlite"
    with running(kind, nodes=1 if again else 2) as cluster:
        stay = max(stay, calls / rate + MARGIN)
        sipp = Sipp(
            scenario,
            *("-r", str(rate), "-l", str(calls), "-s", "service", "-d", str(round(stay * 1000))),
            *("-trace_rtt", "-rtt_freq", "1"),
            folder=folder,
            target=cluster.target,
            calls=calls,
            limit=3 * stay + 60.0,
            trace=False,
        )
        began = time.monotonic()
        with sipp:
            time.sleep(calls / rate + SETTLED)
            if not again:
                cluster.nodes[1].start()
            time.sleep(max(began + stay + 0.2 - time.monotonic(), 0.0))
            at = time.monotonic() - began
            cluster.nodes[0].kill()
            if again:
                cluster.nodes[0].start()
            result = sipp.wait()
            check(cluster, result)
        return Killed(calls, at, answers(folder), result)


def check(cluster: Cluster, result: Result) -> None:
    """Show what went wrong."""
    if result.status != 0:
        print(result.screen[-1500:], result.errors[:1500], cluster.logs(), sep="\n")  # noqa: T201


def answers(folder: Path) -> list[Answered]:
    """What SIPp measured: lines of date and response time in milliseconds, and the timer's name."""
    found = []
    for path in folder.glob("*_rtt.csv"):
        for line in path.read_text().splitlines()[1:]:
            date, took, name = line.split(";")[:3]
            found.append(Answered(name.strip('"'), float(date) / 1e3, float(took) / 1e3))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--store", choices=("redis", "sealed", "sqlite"), default="redis")
    parser.add_argument("--refresher", action="store_true")
    parser.add_argument("--stay", type=float, default=0.0)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="kill-") as name:
        scenario = "uac_refreshes" if given.refresher else "uac_stays"
        killed = kill(given.store, given.calls, given.rate, Path(name), scenario=scenario, stay=given.stay)
        print(f"{given.store}: {killed}")  # noqa: T201


if __name__ == "__main__":
    main()
