"""Who may ask, and how often: REST and gRPC ask the same."""

from __future__ import annotations

import math
import time

from ratchet.serve.messages import Refused
from ratchet.serve.rates import Rates
from ratchet.serve.ring import ANONYMOUS, Client, Held, Ring

ADMIN = "admin"
PREDICT = "predict"
FAILED_RATE, FAILED_BURST = 1.0, 20  # wrong keys a second that an address may send until it is told to wait
ADDRESSES = 4096
_BEARER = {"WWW-Authenticate": "Bearer"}


class Admission:
    """Lets in who sends a right key; where no key is asked for, everybody, but for what wants the scope admin.

    Args:
        ring: the keys.
    """

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._rates, self._failed = Rates(), Rates(most=ADDRESSES)

    @property
    def asks(self) -> bool:
        """Whether clients must send a key."""
        return self.ring.asks

    def admit(self, given: bytes, *, scope: str, network: str) -> Client:
        """Who sends this key, if they may do what belongs to the scope now.

        Args:
            given: the key, or nothing.
            scope: what is wanted.
            network: where it comes from.

        Raises:
            Refused: 401 when the key is missing, wrong or expired, 403 when it lacks the scope, 429 when it is used too often.
        """
        client = ANONYMOUS
        if self.asks:
            held = self.held(given, network=network)
            self.require_valid(held)
            client = held.client
        require_scope(client, scope)
        return client

    def held(self, given: bytes, *, network: str) -> Held:
        """The key as the server holds it.

        Raises:
            Refused: 401 when there is no such key, 429 when too many wrong ones came from there.
        """
        held = self.ring.find(given)
        if held is not None:
            return held
        wait = self._failed.wait(network, rate=FAILED_RATE, burst=FAILED_BURST)
        if wait:
            raise _wait(wait, "too_many_failures", "Too many wrong keys came from this address.")
        message = "The API key is missing or wrong; send it as 'Authorization: Bearer KEY'."
        raise Refused(401, "unauthorized", message, headers=_BEARER)

    def require_valid(self, held: Held) -> None:
        """Refuse a key whose time is over, and one that is used too often.

        Raises:
            Refused: 401 or 429.
        """
        if time.time() >= held.expires:
            message = "The API key has expired; whoever runs the server can rotate it."
            raise Refused(401, "key_expired", message, headers=_BEARER)
        if held.rate is not None:
            wait = self._rates.wait(held.client.id, rate=held.rate, burst=held.burst)
            if wait:
                raise _wait(wait, "rate_limited", f"The key may ask {held.rate:g} times a second.")


def require_scope(client: Client, scope: str) -> None:
    """Refuse who may not do what belongs to a scope.

    Raises:
        Refused: 403.
    """
    if scope in client.scopes:
        return
    have = ", ".join(sorted(client.scopes)) or "none"
    message = f"This path wants the scope {scope!r}; the key has {have}."
    if client is ANONYMOUS:
        message = f"This path wants a key with the scope {scope!r}, as `ratchet keys add` makes it."
    raise Refused(403, "forbidden", message)


def _wait(seconds: float, kind: str, message: str) -> Refused:
    whole = max(1, math.ceil(seconds))
    return Refused(429, kind, f"{message} Try again in {whole} s.", headers={"Retry-After": str(whole)})
