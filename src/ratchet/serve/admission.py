"""Who may ask: with the key of the server, or anybody on this machine where it has none. REST and gRPC ask the same."""

from __future__ import annotations

import hmac

from ratchet.serve.messages import Refused

ADMIN = "admin"
PREDICT = "predict"


class Admission:
    """Lets in who sends the key.

    Args:
        key: the key of the server; empty: none is asked for, and nobody may load models.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    @property
    def asks(self) -> bool:
        """Whether clients must send a key."""
        return bool(self._key)

    def admit(self, given: str, *, scope: str = PREDICT) -> None:
        """Let in who sends this key, to do what belongs to a scope.

        Raises:
            Refused: 401 when the key is missing or wrong, 403 when the scope wants a key and the server has none.
        """
        if self._key and not hmac.compare_digest(given.encode(), self._key):
            message = "The API key is missing or wrong; send it as 'Authorization: Bearer KEY'."
            raise Refused(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
        if scope == ADMIN and not self._key:
            raise Refused(403, "forbidden", "Models are loaded only where the server has a key, and by who sends it.")


def key_of(authorization: str, api_key: str) -> str:
    """The key in these two headers, or nothing."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else api_key
