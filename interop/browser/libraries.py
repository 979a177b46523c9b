"""SIP.js and JsSIP with the page's script in one file, made once for each state of ``page/``, and kept.

They come by npm, at the versions in page/package.json; no install script of a package is run.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from interop.asterisk.debian import cache

PAGE = Path(__file__).parent / "page"
INSTALL_TIMEOUT = 180.0  # seconds; two are usual


class Unavailable(Exception):
    """The libraries cannot be had. The text is the reason."""


def script() -> str:
    """The script of the page. Raises Unavailable with the reason."""
    content = b"".join(path.read_bytes() for path in sorted(PAGE.iterdir()))
    folder = cache() / f"browser-{hashlib.sha256(content).hexdigest()[:12]}"
    bundle = folder / "bundle.js"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not bundle.exists():
            _bundle(folder, bundle)
    return bundle.read_text(encoding="utf-8")


def _bundle(folder: Path, bundle: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("there is no npm on PATH (Debian: apt-get install npm)")
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"], folder)
    unfinished = bundle.with_suffix(".unfinished")
    esbuild = str(folder / "node_modules" / ".bin" / "esbuild")
    _run([esbuild, "phone.js", "--bundle", "--log-level=error", f"--outfile={unfinished}"], folder)
    unfinished.rename(bundle)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]} does not run: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")
