"""A baresip that runs for a test: in a folder of its own, on free ports of the loopback interface.

It answers at once and sends back what it hears. It is told to place calls over its control port.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from interop.ports import HOST, accepts, free_port, free_ports
from interop.processes import running as process
from sipstack.testing.certificates import CertificateAuthority

MODULES = Path("/usr/lib/baresip/modules")
ORDER_TIMEOUT = 10.0  # seconds
RTP_PORTS = 100

CONFIGURATION = """\
poll_method epoll
net_interface {host}
sip_listen {host}:{sip}
sip_certificate {folder}/server.pem
sip_cafile {folder}/authority.crt
audio_player aubridge,echo
audio_source aubridge,echo
audio_alert aubridge,alert
rtp_ports {rtp}-{rtp_last}
ctrl_tcp_listen {host}:{control}
rtcp_mux {rtcp_mux}
module_path {modules}
{loaded}
module_tmp uuid.so
module_tmp account.so
module_app menu.so
"""


def program() -> str | None:
    """The path of baresip; None where it or its modules are not installed."""
    return shutil.which("baresip") if MODULES.is_dir() else None


@attrs.frozen
class Baresip:
    """A running baresip. ``sip`` is its port for UDP and TCP, the next one is for TLS."""

    folder: Path
    sip: int
    control: int

    @property
    def log(self) -> Path:
        """What it said, with every SIP message."""
        return self.folder / "log"

    @property
    def authority(self) -> Path:
        """The certificate that signed its own."""
        return self.folder / "authority.crt"

    def uri(self, transport: str = "tls") -> str:
        """Where it is called."""
        port = self.sip + 1 if transport == "tls" else self.sip
        return f"sip:baresip@{HOST}:{port};transport={transport}"

    async def tell(self, command: str, parameters: str = "") -> None:
        """Give it a command of its menu, such as ``dial`` or ``hangup``. Raises OSError when it refuses."""
        order = json.dumps({"command": command, "params": parameters}).encode()
        reader, writer = await asyncio.open_connection(HOST, self.control)
        try:
            writer.write(b"%d:%s," % (len(order), order))  # a netstring
            async with asyncio.timeout(ORDER_TIMEOUT):
                while True:  # events come the same way
                    length = await reader.readuntil(b":")
                    said = json.loads((await reader.readexactly(int(length[:-1]) + 1))[:-1])
                    if said.get("response"):
                        break
        finally:
            writer.close()
            await writer.wait_closed()
        if not said["ok"]:
            raise OSError(f"baresip does not {command}: {said.get('data')}")


@contextmanager
def running(
    folder: Path, modules: Sequence[str], parameters: str, *, rtcp_mux: bool = True
) -> Iterator[Baresip]:
    """Start it with these modules and parameters of its account, such as ``;mediaenc=srtp-mand``, and wait
    until it takes calls; stop it afterwards. Raises RuntimeError with its last words when it does not start.
    """
    phone = Baresip(folder, _free_pair(), free_port())
    _write_configuration(phone, modules, parameters, rtcp_mux)
    command = [program() or "baresip", "-f", str(folder), "-v", "-s"]
    with process("baresip", command, phone.log, lambda: accepts(phone.sip + 1) and accepts(phone.control)):
        yield phone


def _write_configuration(phone: Baresip, modules: Sequence[str], parameters: str, rtcp_mux: bool) -> None:
    issuer = CertificateAuthority()
    issuer.write(phone.folder)
    certificate, key = issuer.issue(HOST).write(phone.folder, "server")
    (phone.folder / "server.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    first = min(free_ports(8)) // 2 * 2
    text = CONFIGURATION.format(
        host=HOST,
        sip=phone.sip,
        folder=phone.folder,
        control=phone.control,
        rtcp_mux="yes" if rtcp_mux else "no",
        rtp=first,
        rtp_last=first + RTP_PORTS,
        modules=MODULES,
        loaded="\n".join(f"module {each}.so" for each in ("ctrl_tcp", "aubridge", *modules)),
    )
    (phone.folder / "config").write_text(text)
    (phone.folder / "accounts").write_text(
        f"<sip:baresip@{HOST}:{phone.sip};transport=tls>;regint=0;answermode=auto{parameters}\n"
    )
    (phone.folder / "contacts").touch()


def _free_pair() -> int:
    """The first of two free ports side by side."""
    ports = set(free_ports(40))
    neighbours = (port for port in ports if not accepts(port + 1) and not accepts(port))
    return next(neighbours)
