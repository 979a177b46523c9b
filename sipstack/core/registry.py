"""The registrations of all that the endpoint answers and announces: methods, extensions of INVITE,
event packages and body types.

There is one truth for "can we do it": the registration, which names the handler. Allow, Supported, Require,
Accept and Allow-Events are made of it, and so are the refusals 405, 416, 420, 421, 489 and 415, in the order
of RFC 3261 §8.2. A registration can be withdrawn, and then nothing announces it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import attrs

from sipstack.dialog.services import Refusal
from sipstack.dialog.usages import INVITE_USAGE
from sipstack.message import Request, SipUri
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import content_refusal
from sipstack.usage.invite.extension import NO_WISHES, CallExtension, Extension, NewCall

Serve = Callable[[Request, AnyServer, float], None]
Withdraw = Callable[[], None]

KNOWN_METHODS = frozenset(
    "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE".split()  # noqa: SIM905
)
"""Methods that exist: without a registration they are 405 (not allowed here); any other is 501."""


@attrs.frozen(eq=False)
class Method:
    """A method that the endpoint answers.

    ``serve`` answers a request outside of a dialog, and one inside that belongs to no usage; without it such
    a request gets 481. ``of_invite``: inside of a dialog it belongs to the INVITE usage. ``by_event``: it
    belongs to the usage of its Event field, whose package must be registered (RFC 6665). ``bodies`` are the
    media types that it takes; none means that the handler looks for itself. ``repeatable``: answering a
    request twice changes nothing.
    """

    name: str
    serve: Serve | None = None
    of_invite: bool = False
    by_event: bool = False
    bodies: tuple[str, ...] = ()
    repeatable: bool = False

    def adds_nothing_to(self, methods: Mapping[str, Any]) -> bool:
        """Whether one of ``methods`` does all that this one does: usages of several packages share it."""
        other = methods.get(self.name)
        return self.by_event and self.serve is None and other is not None and other.by_event


@attrs.frozen(eq=False)
class Package:
    """An event package (RFC 6665 §7.2). ``handler`` is for the usage that serves its subscriptions."""

    name: str
    handler: Any


class Registry:
    """The registrations of one endpoint. ``changed`` is called after each change of them."""

    __slots__ = (
        "_changed",
        "_registrations",
        "_tags",
        "extensions",
        "fields",
        "methods",
        "packages",
        "requirements",
    )

    def __init__(self, changed: Callable[[], None]) -> None:
        self._registrations: dict[object, tuple[dict[str, Any], Any]] = {}  # in order: the latest counts
        self.methods: dict[str, Method] = {}
        self.extensions: dict[str, Extension] = {}
        self.packages: dict[str, Package] = {}
        self.fields: HeaderFields = ()
        """Allow, Supported and Allow-Events."""
        self.requirements: HeaderFields = ()
        """Require, for an INVITE of ours."""
        self._tags: list[str] = []
        self._changed = changed

    # -- registering ---------------------------------------------------------------------------------------

    def add_method(self, method: Method) -> Withdraw:
        """Answer ``method`` from now on; it replaces one of the same name until it is withdrawn."""
        return self._add(self.methods, method)

    def add_extension(self, extension: Extension) -> Withdraw:
        """Support it from now on, in calls that begin after it, with the methods that it adds."""
        withdrawals = [self._add(self.extensions, extension)]
        withdrawals += [self.add_method(Method(name, of_invite=True)) for name in extension.methods]

        def withdraw() -> None:
            for each in withdrawals:
                each()

        return withdraw

    def add_package(self, package: Package) -> Withdraw:
        """Take part in the events of ``package`` from now on."""
        return self._add(self.packages, package)

    def _add(self, table: dict[str, Any], registration: Any) -> Withdraw:
        mark = object()
        self._registrations[mark] = table, registration
        self._derive()

        def withdraw() -> None:
            if self._registrations.pop(mark, None) is not None:
                self._derive()

        return withdraw

    def _derive(self) -> None:
        for table in (self.methods, self.extensions, self.packages):
            table.clear()
        for table, registration in self._registrations.values():
            if not (isinstance(registration, Method) and registration.adds_nothing_to(table)):
                table[registration.name] = registration
        self._tags = [each.name for each in self.extensions.values() if each.tagged]
        required = [name for name in self._tags if self.extensions[name].required]
        self.requirements = (("Require", ", ".join(required)),) if required else ()
        rows = (("Allow", self.methods), ("Supported", self._tags), ("Allow-Events", self.packages))
        self.fields = tuple((name, ", ".join(sorted(values))) for name, values in rows if values)
        self._changed()

    # -- what follows --------------------------------------------------------------------------------------

    def begin_call(self, call: NewCall, wishes: Mapping[str, Any] = NO_WISHES) -> tuple[CallExtension, ...]:
        """The parts of the extensions that take part in a new call. ``wishes``: by the extension's name, what
        the application asks of it.
        """
        begun: list[CallExtension] = []
        for name, extension in self.extensions.items():
            part = extension.begin(attrs.evolve(call, wish=wishes[name]) if name in wishes else call)
            if part is not None:
                begun.append(part)
        return tuple(begun)

    def is_repeatable(self, name: str) -> bool:
        """Whether a request outside of a dialog may be answered again when it is repeated: it changes
        nothing here.
        """
        method = self.methods.get(name)
        return method is None or method.serve is None or method.repeatable

    @property
    def accept(self) -> str:
        """The Accept value: every media type that some method takes."""
        bodies = dict.fromkeys(body for method in self.methods.values() for body in method.bodies)
        return ", ".join(bodies)

    def owner_key(self, request: Request) -> Hashable | None:
        """See `CoreServices.owner_key`."""
        method = self.methods.get(request.method)
        if method is None:
            return None
        if method.of_invite:
            return INVITE_USAGE
        if not method.by_event:
            return None
        event = request.headers.typed("Event")
        return (request.method, event.package, event.id) if event is not None else None

    def refusal(self, request: Request) -> Refusal | None:
        """How a request outside of a dialog is refused: method, URI, option tags, event package, in the order
        of §8.2.1 to §8.2.2.3 and RFC 6665 §4.2.1; its content is looked at after that (§8.2.3).
        """
        method = self.methods.get(request.method)
        if method is None:
            return self._method_refused(request)
        if not isinstance(request.uri, SipUri):
            return 416, ()
        if self._tags or method.by_event or "Require" in request.headers:
            return self._demands_refused(method, request)
        return None

    def refusal_in_dialog(self, request: Request) -> Refusal | None:
        """The same inside of a dialog, whose requests come to our Contact, with the content."""
        method = self.methods.get(request.method)
        if method is None:
            return self._method_refused(request)
        if self._tags or method.by_event or "Require" in request.headers:
            refused = self._demands_refused(method, request)
            if refused is not None:
                return refused
        return content_refusal(request, method.bodies) if method.bodies else None

    def _method_refused(self, request: Request) -> Refusal:
        allow = tuple(field for field in self.fields if field[0] == "Allow")
        return (405 if request.method in KNOWN_METHODS else 501), allow

    def _demands_refused(self, method: Method, request: Request) -> Refusal | None:
        refused = self._tags_refused(request)
        return self._event_refused(request) if refused is None and method.by_event else refused

    def _tags_refused(self, request: Request) -> Refusal | None:
        unknown = [tag for tag in request.require if tag not in self._tags]
        if unknown:
            return 420, (("Unsupported", ", ".join(unknown)),)
        if request.method != "INVITE" or not self.requirements:
            return None
        offered = {*request.headers.readable("Supported"), *request.require}
        missing = [name for name in self._tags if self.extensions[name].required and name not in offered]
        return (421, (("Require", ", ".join(missing)),)) if missing else None

    def _event_refused(self, request: Request) -> Refusal | None:
        event = request.headers.typed("Event")
        if event is not None and event.package in self.packages:
            return None
        return 489, tuple(field for field in self.fields if field[0] == "Allow-Events")
