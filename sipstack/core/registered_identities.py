"""How requests of our identities go out while these are registered (RFC 3608, RFC 5626 §4.3, RFC 5627).

Most are registered without any of that, or not at all: then the table is empty, and nobody looks into it.
"""

from __future__ import annotations

import attrs

from sipstack.dialog.bound import Bound
from sipstack.dialog.identity import Identity


class RegisteredIdentities:
    """For each identity what its bindings want, one a registration; the first that works counts."""

    __slots__ = ("_bindings", "identities")

    def __init__(self) -> None:
        self.identities: dict[Identity, Identity] = {}
        """Each identity as its requests go out at the moment, where a binding changes it."""
        self._bindings: dict[Identity, dict[object, Bound]] = {}

    def bind(self, identity: Identity, owner: object, bound: Bound) -> None:
        """The registrar has granted ``owner``'s binding, the first time or again."""
        bindings = self._bindings.setdefault(identity, {})
        if not self._changes(identity, bound):
            self.unbind(identity, owner)
            return
        bindings[owner] = bound
        self._choose(identity)

    def demote(self, identity: Identity, owner: object) -> None:
        """The binding of ``owner`` does not work at the moment: another one is preferred."""
        bindings = self._bindings.get(identity, {})
        if owner in bindings:
            bindings[owner] = bindings.pop(owner)
            self._choose(identity)

    def unbind(self, identity: Identity, owner: object) -> None:
        """The binding of ``owner`` is no more."""
        bindings = self._bindings.get(identity, {})
        bindings.pop(owner, None)
        if bindings:
            self._choose(identity)
        else:
            self._bindings.pop(identity, None)
            self.identities.pop(identity, None)

    def _choose(self, identity: Identity) -> None:
        first = next(iter(self._bindings[identity].values()))
        self.identities[identity] = attrs.evolve(identity, bound=first)

    @staticmethod
    def _changes(identity: Identity, bound: Bound) -> bool:
        """Whether requests are any different because of the binding."""
        return bound != Bound(identity.routes)
