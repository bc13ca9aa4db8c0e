"""What models run on: how the folder of a model becomes a predictor, one registry for training, bundles and serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ratchet.errors import ExtraMissing
from ratchet.models.model import Destination, Predictor
from ratchet.plugins import chosen, registered

GROUP = "ratchet.runtimes"


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One way to run a model.

    Attributes:
        name: as the cards of contenders and the manifests of bundles have it.
        load: gives the model of a folder, to run on so many threads (0: all cores); no torch unless ``packages`` has it.
        packages: the modules of other packages that it imports, beside those of any server; they must be installed.
        extra: the extra that installs them.
        isolated: whether it is served by processes of its own: where native code computes for long, a crash of it or a hang
            is then no crash of the server.
        sends_to: where a model in a folder sends the texts that it is asked about; ``None``: it sends nothing anywhere.
    """

    name: str
    load: Callable[[Path, int], Predictor]
    packages: tuple[str, ...] = ()
    extra: str = "serve"
    isolated: bool = False
    sends_to: Callable[[Path], Destination] | None = None


def _linear(folder: Path, threads: int) -> Predictor:
    from ratchet.models.linear import LinearModel

    del threads
    return LinearModel.load(folder)


def _onnx(folder: Path, threads: int) -> Predictor:
    from ratchet.models.onnx_model import OnnxModel

    return OnnxModel.load(folder, threads=threads)


def _constant(folder: Path, threads: int) -> Predictor:
    from ratchet.models.constant import ConstantModel

    return ConstantModel.load(folder, threads)


def _nearest(folder: Path, threads: int) -> Predictor:
    from ratchet.models.nearest import NearestModel

    return NearestModel.load(folder, threads)


def _decoder(folder: Path, threads: int) -> Predictor:
    from ratchet.generators.generated import DecoderModel

    return DecoderModel.load(folder, threads)


def _endpoint(folder: Path, threads: int) -> Predictor:
    from ratchet.endpoint.model import EndpointModel

    return EndpointModel.load(folder, threads)


def _endpoint_address(folder: Path) -> Destination:
    from ratchet.endpoint.model import sends_to

    return sends_to(folder)


RUNTIMES = (
    Runtime(name="linear", load=_linear),
    Runtime(name="onnx", load=_onnx, packages=("onnxruntime", "tokenizers"), isolated=True),
    Runtime(name="nearest", load=_nearest, packages=("scipy", "sklearn")),
    Runtime(name="constant", load=_constant),
    Runtime(
        name="decoder",
        load=_decoder,
        packages=("torch", "transformers", "tokenizers", "jinja2", "pyarrow"),
        extra="train",
    ),
    Runtime(
        name="endpoint",
        load=_endpoint,
        packages=("httpx", "jinja2", "pyarrow", "yaml"),
        extra="endpoint",
        sends_to=_endpoint_address,
    ),
)


def load_model_folder(folder: Path, runtime: str, *, threads: int = 0) -> Predictor:
    """The model of a folder, as it will be served.

    Raises:
        RatchetError: no such runtime is installed.
        ExtraMissing: a package that it needs is not installed.
    """
    entry = _runtime(runtime)
    for package in entry.packages:
        if find_spec(package) is None:
            raise ExtraMissing(package, extra=entry.extra, why=f"Serving an {runtime.upper()} model")
    return entry.load(folder, threads)


def destination_of(folder: Path, runtime: str) -> Destination | None:
    """Where the model of a folder sends the texts that it is asked about; ``None``: nowhere."""
    sends_to = _runtime(runtime).sends_to
    return None if sends_to is None else sends_to(folder)


def is_isolated(runtime: str) -> bool:
    """Whether models of this runtime are served by processes of their own."""
    return _runtime(runtime).isolated


def _runtime(name: str) -> Runtime:
    return chosen(name, registered(RUNTIMES, group=GROUP, base=Runtime), noun="The runtime of a model")
