"""Kamailio answers every request from its transaction module: a UAS with transactions and without dialogs."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from interop.bench.floor import ANSWER
from interop.bench.server import Recipe, StartError

_CONFIGURATION = """\
fork=no
debug=0
log_stderror=yes
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "textops.so"
request_route {
  if (is_method("ACK")) { t_check_trans(); exit; }
  if (!t_newtran()) { exit; }
  append_to_reply("Contact: <sip:127.0.0.1:{port}>\\r\\n");
  if (is_method("INVITE")) { set_reply_body("{body}", "application/sdp"); }
  t_reply("200", "OK");
  exit;
}
"""


def recipe(folder: Path) -> Recipe:
    """How to start it; raises `StartError` where it is not installed."""
    program = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    if program is None:
        raise StartError("there is no kamailio on PATH")
    path = folder / "kamailio.cfg"
    command = [program, "-D", "-E", "-m", "512", "-f", str(path), "-Y", str(folder)]
    return Recipe("Kamailio", command, prepare=functools.partial(_configure, path))


def _configure(path: Path, port: int) -> None:
    body = ANSWER.decode().replace("\r\n", "\\r\\n")
    text = _CONFIGURATION.replace("{port}", str(port)).replace("{body}", body)
    path.write_text(text, encoding="ascii")
