"""The gRPC server of a bundle, beside that of REST: same engine, same limits, same keys, one beginning and one end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from ratchet.errors import RatchetError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import rpc_inference, rpc_predictor
from ratchet.serve.admission import Admission
from ratchet.serve.engine import worker_count
from ratchet.serve.rpc_calls import Asking, Doors
from ratchet.serve.rpc_health import Health, reflected

if TYPE_CHECKING:
    from starlette.applications import Starlette

SPARE = 64  # calls on top of those that compute or wait: streams that are silent, probes, messages that are still on their way
IDENTITY = 1  # no compression: what a compressed message becomes has no bound
KEEPALIVE = 60_000  # milliseconds of silence after which a client is asked whether it is still there
AGE = 600_000  # milliseconds that a connection lives; clients make another by themselves, calls that hang end with it
DRAIN = 5  # seconds on top of the deadline until calls of a connection that ends are given up


class RpcServer:
    """Serves what an application of REST serves.

    Args:
        app: what ``build_app`` made.
        config: limits, queue and deadline.
        admission: who may call.
        certificate: files of a certificate and its key, for TLS.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        config: ServeConfig,
        admission: Admission,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self._state, self._config, self._certificate = app.state, config, certificate
        self._server: grpc.aio.Server | None = None
        self.port = 0
        asking = Asking(app.state.engine, intake=app.state.intake, config=config)
        services = (rpc_inference.SERVICE, rpc_predictor.SERVICE)
        self._predictor = rpc_predictor.Predictor(asking)
        self._health = Health(services, ready=lambda: bool(app.state.repository.ready))
        self._doors = Doors(
            rpc_inference.methods(app.state.repository, asking)
            | self._predictor.methods
            | self._health.methods
            | reflected(services),
            admission=admission,
            engine=app.state.engine,
        )

    async def start(self, host: str, port: int) -> None:
        """Listen on ``port``, for 0 on a free one, which the attribute ``port`` tells then.

        Raises:
            RatchetError: the address is not free, or not of this machine.
        """
        config = self._config
        server = grpc.aio.server(
            maximum_concurrent_rpcs=worker_count(config, processes=True) + config.queue + SPARE,
            options=(
                ("grpc.max_receive_message_length", self._state.intake.limit),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                ("grpc.compression_enabled_algorithms_bitset", IDENTITY),
                ("grpc.keepalive_time_ms", KEEPALIVE),
                ("grpc.max_connection_age_ms", AGE),
                ("grpc.max_connection_age_grace_ms", round(1000 * (config.deadline + DRAIN))),
            ),
        )
        server.add_generic_rpc_handlers((self._doors,))
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = self._bound(server, where)
        except RuntimeError as error:
            raise RatchetError(
                f"gRPC must listen on {host}:{port} but cannot: another program does, or it is not of this machine.",
                next_step="Choose another with --grpc-port, or --grpc-port 0 for any free one.",
            ) from error
        await server.start()
        self._server = server

    async def stop(self, grace: float) -> None:
        """Take no new calls, answer those that have come within ``grace`` seconds, and end the rest."""
        if self._server is None:
            return
        self._predictor.end()
        self._health.end()
        await self._server.stop(grace)

    def _bound(self, server: grpc.aio.Server, where: str) -> int:
        if self._certificate is None:
            return int(server.add_insecure_port(where))
        chain, key = (path.read_bytes() for path in self._certificate)
        return int(server.add_secure_port(where, grpc.ssl_server_credentials([(key, chain)])))
