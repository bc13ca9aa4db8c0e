"""What of a server is open, to whom, and what should not be: ``ratchet serve --check``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ratchet.recipe.sections import ServeConfig
from ratchet.serve.certificate import SOON, Certificate
from ratchet.serve.keys import Key, read_keys
from ratchet.serve.messages import body_limit
from ratchet.serve.spans import named

SHORT_KEY = 24
"""Characters from which on a key is long enough that nobody guesses it."""
LONG_LIVED = 400 * 86_400
"""Seconds after which a key that does not expire should have been rotated."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing about a server; ``wrong`` says what should not be so, and what to do, or is empty."""

    name: str
    value: str
    wrong: str = ""


def exposure(
    config: ServeConfig, *, single: str, local: bool, sends_to: str = "", now: datetime | None = None
) -> tuple[Item, ...]:
    """What is open, without serving.

    Args:
        config: of the server.
        single: the key in RATCHET_API_KEY, or nothing.
        local: whether only this machine can connect.
        sends_to: the address that every text is sent to, or nothing.
        now: when this is asked; absent: now.

    Raises:
        RatchetError: the key file or the certificate is not usable.
    """
    now = now or datetime.now(UTC)
    keys = read_keys(Path(config.keys)) if config.keys else ()
    keyed = bool(config.keys or single)
    return (
        _address(config, local=local),
        *_keys(config, keys, single=single, local=local, now=now),
        _tls(config, local=local),
        *_limits(config, keys, keyed=keyed),
        *_pages(config, keyed=keyed),
        _audit(config),
        Item(name="spans", value=f"sent to {named()}" if named() else "none are sent"),
        Item(name="texts", value=f"sent on to {sends_to}" if sends_to else "stay in this process"),
    )


def _address(config: ServeConfig, *, local: bool) -> Item:
    who = "this machine alone" if local else "every machine that reaches this address"
    return Item(name="address", value=f"{config.host or 'all interfaces'}:{config.port}, open to {who}")


def _keys(config: ServeConfig, keys: Sequence[Key], *, single: str, local: bool, now: datetime) -> Iterator[Item]:
    if not config.keys and not single:
        wrong = "" if local else "Others can ask without a key: run `ratchet keys add NAME` and give --keys."
        yield Item(name="keys", value="none: whoever connects may predict", wrong=wrong)
        return
    if single:
        short = len(single) < SHORT_KEY
        wrong = f"It has fewer than {SHORT_KEY} characters and may be guessed: take a random one." if short else ""
        yield Item(name="key env", value="RATCHET_API_KEY: predict, chat, metrics; does not expire", wrong=wrong)
    if config.keys and not keys:
        yield Item(
            name="keys",
            value=f"{config.keys} has none",
            wrong="" if single else "Nobody can ask: run `ratchet keys add`.",
        )
    for key in keys:
        yield Item(name=f"key {key.id}", value=described(key, now=now), wrong=_aged(key, now=now))


def described(key: Key, *, now: datetime) -> str:
    """A key in one line."""
    rate = "no limit" if key.rate is None else f"{key.rate:g} a second, {key.burst} at once"
    ends = "does not expire"
    if key.expires is not None:
        ends = f"{'expired' if key.has_expired(now) else 'expires'} {key.expires:%Y-%m-%d}"
    old = [secret.until for secret in key.secrets if secret.until is not None and secret.until > now]
    until = f"; an older secret is right until {max(old):%Y-%m-%d %H:%M} UTC" if old else ""
    return f"{key.name}: {', '.join(key.scopes) or 'no scope'}; {rate}; {ends}{until}"


def _aged(key: Key, *, now: datetime) -> str:
    if key.expires is None and (now - key.created).total_seconds() > LONG_LIVED:
        return f"It is from {key.created:%Y-%m-%d} and does not expire: run `ratchet keys rotate {key.id}`."
    return ""


def _tls(config: ServeConfig, *, local: bool) -> Item:
    if not config.tls_cert:
        wrong = "" if local else "Keys and texts travel in the clear: give --tls-cert and --tls-key."
        return Item(name="tls", value="none", wrong=wrong)
    found = Certificate(Path(config.tls_cert), Path(config.tls_key))
    days = found.seconds_left / 86_400
    value = f"1.2 or newer; the certificate ends {found.ends:%Y-%m-%d}, in {days:.0f} days"
    return Item(name="tls", value=value, wrong=found.warning() if found.seconds_left <= SOON else "")


def _limits(config: ServeConfig, keys: Sequence[Key], *, keyed: bool) -> Iterator[Item]:
    yield Item(
        name="limits",
        value=f"{config.max_texts} texts of {config.max_text_bytes} bytes, {body_limit(config)} bytes a body, "
        f"{config.queue} waiting, {config.deadline:g} s a request",
    )
    if keyed:
        without = sum(key.rate is None for key in keys)
        yield Item(
            name="rates", value=f"{without} of {len(keys)} keys of the file have no limit" if keys else "no limit"
        )


def _pages(config: ServeConfig, *, keyed: bool) -> Iterator[Item]:
    yield Item(name="open", value="/, /docs, /openapi.json, /healthz, /readyz, /v2/health: no key is asked for")
    yield Item(name="metrics", value="/metrics, with the scope metrics" if keyed else "/metrics, without a key")
    yield Item(name="admin", value="with the scope admin" if config.keys else "closed: it wants a key of a key file")
    sites = ", ".join(config.origins) or "none"
    yield Item(name="browsers", value=f"pages of other sites that may call: {sites}")


def _audit(config: ServeConfig) -> Item:
    return Item(name="audit", value=f"a line a request in {config.audit}" if config.audit else "no log of who asked")
