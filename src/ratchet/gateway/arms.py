"""Which backend answers: one, or by a router for A/B tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ratchet.gateway.backend import Backend


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A backend under the name that answers and accounts show."""

    name: str
    backend: Backend


class Router(Protocol):
    """Whatever chooses arms."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All that there are; the first answers to what is asked of no arm, such as the list of models."""

    def choose(self, *, request_id: str, client: str, user: str) -> Arm:
        """The arm of a request. It must be quick: every request waits for it.

        Args:
            request_id: of this request alone.
            client: id of the key.
            user: as the client names whom it asks for; or empty.
        """


@dataclass(frozen=True, kw_only=True)
class OneArm:
    """All requests go to one backend."""

    arm: Arm

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The one."""
        return (self.arm,)

    def choose(self, *, request_id: str, client: str, user: str) -> Arm:
        """The one."""
        del request_id, client, user
        return self.arm
