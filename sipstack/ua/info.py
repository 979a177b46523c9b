"""INFO inside of calls: whom its bodies and packages go to, until the application answers it itself."""

from __future__ import annotations

from sipstack.core.core import Core
from sipstack.core.registry import Method
from sipstack.sdp import SDP_FRAGMENT
from sipstack.ua.candidates import Candidates
from sipstack.ua.digits import Digits
from sipstack.ua.runtime import Runtime
from sipstack.usage.info import PLAIN, RELAY, InfoBody, InfoServer
from sipstack.usage.info_packages import info_packages


class Info:
    """Answers it for all calls of a user agent."""

    def __init__(self, runtime: Runtime) -> None:
        self.packages: dict[str, None] = {}
        """The Info Packages that the application takes at the moment, in lower case."""
        self._bodies = (
            InfoBody((RELAY, PLAIN), "", Digits(runtime).read),
            InfoBody((SDP_FRAGMENT,), "trickle-ice", Candidates().read),
        )

    def register(self, core: Core) -> None:
        """Answer INFO inside of calls."""
        core.registry.add_method(Method("INFO", InfoServer(core, self._bodies, self.packages).serve))
        core.registry.add_extension(info_packages(self.packages))
