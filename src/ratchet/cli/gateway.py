"""`ratchet gateway`: chat completions from a backend, guarded, limited and counted."""

from __future__ import annotations

from pathlib import Path

import click

from ratchet.cli import arguments


@click.command()
@click.option(
    "--backend", metavar="URL", required=True, help="Base of an OpenAI-compatible server: http://HOST:PORT/v1."
)
@click.option("--backend-key-env", "key_env", metavar="NAME", default="", help="Variable with the key of the backend.")
@click.option("--model", "models", multiple=True, metavar="A=B", help="Clients say A, the backend is asked for B.")
@click.option("--config", "file", type=arguments.PATH, help="YAML with limits, timeouts, prices, the guard's mode.")
@click.option("--usage", metavar="FILE", default="", help="A line of JSON for each request is appended there.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 picks a free one.")
@click.option("--name", "names", multiple=True, help="A further name by which clients may call it without a key.")
def gateway(
    backend: str,
    key_env: str,
    models: tuple[str, ...],
    file: Path | None,
    usage: str,
    host: str,
    port: int,
    names: tuple[str, ...],
) -> None:
    """Stand before an OpenAI-compatible server: /v1/chat/completions, /v1/completions, /v1/models.

    Beyond this machine (another --host than loopback) the environment variable RATCHET_API_KEY must hold a key.
    """
    from ratchet.gateway.settings import read_settings
    from ratchet.recipe.sections import ServeConfig
    from ratchet.serve.gateway import serve_gateway

    config = read_settings(file, models=models, usage=usage)
    at = ServeConfig(host=host, port=port, names=names, deadline=config.timeouts.whole)
    serve_gateway(backend, key_env=key_env, config=config, at=at)
