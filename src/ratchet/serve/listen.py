"""Listen for requests: the socket, who may connect, one clear line at the start, and a graceful end."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ratchet.errors import BundleError, ExtraMissing, RatchetError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.ring import KEY
from ratchet.serve.rows import Fields

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ratchet.serve.certificate import Certificate
    from ratchet.serve.engine import Engine, Served
    from ratchet.serve.exposure import Item
    from ratchet.serve.front import Front
    from ratchet.serve.rpc import RpcServer
    from ratchet.serve.served_bundle import ServedBundle

logger = logging.getLogger("ratchet.serve")

BACKLOG = 512
GRACE = 0.3  # seconds after the signal in which connections are still taken: load balancers hear of it late
STRAGGLERS = 0.2  # seconds after that in which the last connections taken may send their request
SHAKE = 1.0  # seconds that the last connections have for the handshake of TLS
LATEST = 2.0  # seconds in which they may while there are such that have sent nothing yet
DRAIN = 5  # seconds on top of the deadline until open requests are given up


def serve(
    bundle_path: Path | str,
    *,
    config: ServeConfig,
    send_to: str = "",
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    """Serve a bundle until SIGTERM or Ctrl-C; requests in flight are answered first.

    SIGHUP has the audit log begun anew and the folder opened again, and the bundle that stands there now served, once it is
    verified and proven.

    Clients must send a key of ``config.keys``, or that in the environment variable ``RATCHET_API_KEY``. Both may be absent
    only while the server listens on this machine alone.

    Args:
        bundle_path: folder of the bundle.
        config: address, limits, queue, workers and deadline; port 0 picks a free one.
        send_to: the address that texts may be sent to, where the model is behind one.
        say: gets the lines for people.

    Raises:
        RatchetError: the address, the key file, the certificate or the audit log is not usable, or others could connect
            without a key.
        BundleError: the bundle is damaged, or its model cannot be loaded.
        ExtraMissing: a package of the ``serve`` extra is not installed.
    """
    for package in ("starlette", "uvicorn", "msgspec", "prometheus_client"):
        if find_spec(package) is None:
            raise ExtraMissing(package, extra="serve", why="The server")
    if config.grpc_port is not None:
        for package in ("grpc", "google.protobuf", "grpc_health", "grpc_reflection"):
            if not _is_installed(package):
                raise ExtraMissing(package, extra="grpc", why="gRPC")
    from ratchet.serve.certificate import Certificate
    from ratchet.serve.front import fronted
    from ratchet.serve.rest import build_app

    key, keyed = single_key(), asks_for_key(config)
    certificate = Certificate(Path(config.tls_cert), Path(config.tls_key)) if config.tls_cert else None
    app = build_app(bundle_path, config=config, keyed=keyed, send_to=send_to)
    front = fronted(app, config=config, api_key=key, certificate=certificate)
    engine: Engine[ServedBundle] = app.state.engine
    if app.state.destination is not None:
        say(f"Every text is sent to {app.state.destination}.")
    for warning in _warnings(config, certificate):
        say(warning)
    with listening(config) as listener, quiet_signals():
        url = url_of(listener, secure=certificate is not None)

        def greet() -> None:
            say(f"Serving {app.state.bundle.name} on {url} (page at {url}/docs). Stop with Ctrl-C.")
            say(_curl(url, keyed=keyed, fields=Fields.of(app.state.bundle.manifest)))

        run(app, listener, front=front, config=config, greet=greet, say=say, certificate=certificate)
    if engine.failure is not None:
        if isinstance(engine.failure, RatchetError):
            raise engine.failure
        raise BundleError(
            f"The model of {bundle_path} could not be loaded: {type(engine.failure).__name__}: {engine.failure}.",
            next_step="Export the bundle again, or install the versions named in its manifest.",
        ) from engine.failure


def exposed(bundle_path: Path | str, *, config: ServeConfig, send_to: str = "") -> tuple[Item, ...]:
    """What would be open if the bundle were served so; nothing is.

    Raises:
        RatchetError: the address, the key file or the certificate is not usable.
        BundleError: the bundle is damaged, or sends texts to another address than ``send_to``.
    """
    from ratchet.bundle.bundle import Bundle
    from ratchet.bundle.predict import require_consent
    from ratchet.serve.exposure import exposure

    far = require_consent(Bundle.open(Path(bundle_path)), send_to=send_to)
    return exposure(config, single=single_key(), local=is_loopback(config.host), sends_to=str(far or ""))


async def _rpc(app: Starlette, config: ServeConfig, front: Front) -> RpcServer | None:
    """The gRPC server beside it, if there is to be one."""
    if config.grpc_port is None:
        return None
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is told by us, in one line
    from ratchet.serve.rpc import RpcServer

    certificate = (Path(config.tls_cert), Path(config.tls_key)) if config.tls_cert else None
    server = RpcServer(app, config=config, admission=front.admission, certificate=certificate)
    await server.start(config.host, config.grpc_port)
    return server


async def _reload(swap: Callable[[], Awaitable[Served[ServedBundle]]], say: Callable[[str], None]) -> None:
    """Serve the bundle that stands in the folder now, if it is sound."""
    try:
        served = await swap()
        say(f"Serving {served.what.name} ({served.what.short}) from now on.")
    except RatchetError as error:
        logger.error("the bundle was not taken, and the one before it is served: %s", error)
    except Exception as error:  # noqa: BLE001 - whatever a bundle does, the one before it is served
        logger.error("the bundle was not taken, and the one before it is served: %s", type(error).__name__)


def run(
    app: Starlette,
    listener: socket.socket,
    *,
    front: Front,
    config: ServeConfig,
    greet: Callable[[], None],
    say: Callable[[str], None],
    certificate: Certificate | None,
) -> None:
    """Answer on the socket until a signal comes, and all that was asked by then."""
    import uvicorn

    from ratchet.serve.connections import (
        HEAD_SECONDS,
        SEND_SECONDS,
        Connection,
        Room,
        Seldom,
        most_connections,
        protocol,
        told_once,
    )

    secure = None if certificate is None else certificate.context
    engine: Engine[ServedBundle] = app.state.engine

    class Server(uvicorn.Server):  # type: ignore[misc]
        """Greets when the model is ready, ends when it cannot be, and resets no request that was sent in time."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            self.loop.set_exception_handler(told_once(logger.error))
            self.rpc = await _rpc(app, config, front)
            if secure is not None:  # who does not shake hands holds an open file, and is no connection yet
                patient = partial(self.loop.create_server, ssl_handshake_timeout=HEAD_SECONDS)
                self.loop.create_server = patient  # type: ignore[method-assign]
            await super().startup(sockets)
            self.watch = asyncio.create_task(self.greet_or_end())
            if sys.platform != "win32":
                self.loop.add_signal_handler(signal.SIGHUP, self.reload)

        async def greet_or_end(self) -> None:
            await engine.settled.wait()
            if engine.failure is None:
                greet()
                if self.rpc is not None:
                    say(f"gRPC listens on {config.host}:{self.rpc.port}.")
            else:
                self.should_exit = True

        def reload(self) -> None:
            front.reopen()
            if hasattr(app.state, "swap"):
                self.reloading = asyncio.create_task(_reload(app.state.swap, say))

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if engine.draining:
                super().handle_exit(sig, frame)
                return
            engine.draining = True
            self.loop.call_soon_threadsafe(self.loop.call_later, GRACE, super().handle_exit, sig, frame)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            taken = self.take_queued()
            for server in self.servers:
                server.close()
            ending = [] if self.rpc is None else [self.rpc.stop(config.deadline + DRAIN)]
            latest = self.loop.time() + LATEST
            await asyncio.gather(asyncio.sleep(STRAGGLERS), *taken, *ending, return_exceptions=True)
            while room.is_awaited and self.loop.time() < latest:
                await asyncio.sleep(0.02)
            await super().shutdown(sockets)

        def take_queued(self) -> Sequence[Coroutine[Any, Any, object]]:
            """Connections that clients have made and nobody has taken: with the listener they would be reset."""
            taken: list[Coroutine[Any, Any, object]] = []
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # BlockingIOError: none is left
                    return taken
                connection.setblocking(False)
                soon = None if secure is None else SHAKE  # who does not shake hands must not hold up the end
                taking = self.loop.connect_accepted_socket(
                    self.connection, connection, ssl=secure, ssl_handshake_timeout=soon
                )
                taken.append(taking)

        def connection(self) -> Connection:
            return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    room = Room(most=most_connections(), exchange=2 * config.deadline + SEND_SECONDS)
    kind = protocol(room)
    logging.getLogger("uvicorn.error").addFilter(Seldom())
    options = uvicorn.Config(
        front,
        http=kind,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(config.deadline) + DRAIN,
        ssl_context_factory=None if secure is None else lambda *_: secure,
    )
    Server(options).run(sockets=[listener])


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


def asks_for_key(config: ServeConfig) -> bool:
    """Whether clients must send a key; a server that others can reach must ask for one."""
    keyed = bool(config.keys or single_key())
    if not keyed and not is_loopback(config.host):
        raise RatchetError(
            f"A server that others can reach ({config.host}) must have an API key but {KEY} is not set and no key file given.",
            next_step="Run: ratchet keys add NAME, and serve with --keys keys.json; or serve on 127.0.0.1.",
        )
    return keyed


def single_key() -> str:
    """The key in the environment, or nothing."""
    key = os.environ.get(KEY, "")
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise RatchetError(f"{KEY} must be printable ASCII without spaces.", next_step="Choose another key.")
    return key


def _warnings(config: ServeConfig, certificate: Certificate | None) -> Iterator[str]:
    if certificate is not None:
        if warning := certificate.warning():
            yield warning
    elif not is_loopback(config.host):
        yield "Keys and texts travel in the clear: give --tls-cert and --tls-key, or stand behind a proxy that speaks TLS."


def is_loopback(host: str) -> bool:
    """Whether nobody beyond this machine can connect to this address."""
    return bool(host) and all(ipaddress.ip_address(address[0]).is_loopback for _, address in _addresses(host, 0))


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise RatchetError(
            f"The host must be a name or address of this machine but got {host!r}.",
            next_step="Use 127.0.0.1, or 0.0.0.0 for every interface.",
        ) from error
    return [(family, address[:2]) for family, _, _, _, address in found]  # type: ignore[misc]


@contextmanager
def listening(config: ServeConfig) -> Iterator[socket.socket]:
    """The socket of an address, on which nobody is answered yet."""
    family, address = _addresses(config.host, config.port)[0]
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms longer.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise _not_bound(error, config) from error
        listener.setblocking(False)
        yield listener


def _not_bound(error: OSError, config: ServeConfig) -> RatchetError:
    where = f"{config.host}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return RatchetError(
            f"The port must be free but another program listens on {where}.",
            next_step="Choose another with --port, or --port 0 for any free one.",
        )
    if error.errno == errno.EACCES:
        return RatchetError(f"Listening on {where} is not permitted.", next_step="Choose a port above 1023.")
    return RatchetError(f"Listening on {where} failed: {error.strerror}.", next_step="Check the host and the port.")


@contextmanager
def quiet_signals() -> Iterator[None]:
    """Uvicorn raises the signal again when it has drained; it has been obeyed by then."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def url_of(listener: socket.socket, *, secure: bool = False) -> str:
    """The address of a socket, as clients of this machine write it."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if listener.family == socket.AF_INET else "::1"
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _curl(url: str, *, keyed: bool, fields: Fields) -> str:
    key = f' -H "Authorization: Bearer ${KEY}"' if keyed else ""
    row = dict.fromkeys(fields.texts, "...") | dict.fromkeys(fields.features)
    body = json.dumps({"text": "..."} if fields.plain else {"row": row}, ensure_ascii=False)
    return f"Try: curl {url}/predict -H 'Content-Type: application/json'{key} -d {shlex.quote(body)}"
