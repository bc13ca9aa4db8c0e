"""Networks and tokenizers of generators: read from a checkpoint or a GGUF file, or new and small."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ratchet.errors import ExtraMissing, RatchetError
from ratchet.models.checkpoints import GGUF, Source, first_line

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

END = "<|end|>"
SCRATCH_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""How a tokenizer from scratch writes a conversation: each turn behind the token of its role and before ``<|end|>``."""
_SPECIALS = (END, "<|system|>", "<|user|>", "<|assistant|>")
_BYTES = 256
_MULTIPLE = 8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a generator from scratch."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    vocabulary: int = 2048
    """Entries of the vocabulary, the 256 bytes and the four special tokens among them."""


def network_of(source: Source) -> PreTrainedModel:
    """The network of a checkpoint, all of its weights, in float32; no code of the checkpoint is run, nothing is unpickled.

    Raises:
        RatchetError: it cannot be loaded, or a weight is missing.
        ExtraMissing: it is a GGUF file, and the package that reads one is not installed.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with _told(source):
        network, report = AutoModelForCausalLM.from_pretrained(
            source.folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **_gguf(source),
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise RatchetError(
            f"The generator {source.name!r} must hold all weights of a {network.config.model_type} but {missing[0]!r} and "
            f"{len(missing) - 1} others are missing.",
            next_step="Download the checkpoint again, or name another one.",
        )
    family = network.config.model_type
    if family not in source.wanted.families:
        raise RatchetError(
            f"The generator source {source.name!r} must be {source.wanted.kind} but its model_type is {family!r}.",
            next_step=f"Known kinds: {', '.join(sorted(source.wanted.families))}.",
        )
    if source.gguf:
        _plain(network)
    network.eval()
    return network


def _plain(network: PreTrainedModel) -> None:
    """Forget that the weights were in few bits: they are float32 now, and are trained and saved as such."""
    network.hf_quantizer, network.is_quantized, network.quantization_method = None, False, None
    del network.config.quantization_config


def tokenizer_of(source: Source) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint, as it is.

    Raises:
        RatchetError: there is none, or it is not a fast one.
        ExtraMissing: as `network_of`.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    with _told(source):
        found = AutoTokenizer.from_pretrained(
            source.folder, local_files_only=True, trust_remote_code=False, **_gguf(source)
        )
    if not isinstance(found, PreTrainedTokenizerFast):
        raise RatchetError(
            f"The generator {source.name!r} must have a fast tokenizer but got {type(found).__name__}.",
            next_step="Give it a tokenizer.json.",
        )
    return found


@contextmanager
def _told(source: Source) -> Iterator[None]:
    """What a library says of a checkpoint that it cannot read, as one sentence."""
    from safetensors import SafetensorError

    try:
        with (
            redirect_stderr(io.StringIO()) if source.gguf else nullcontext()
        ):  # its bar heeds no switch of transformers
            yield
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, SafetensorError) as error:
        raise RatchetError(
            f"The generator {source.name!r} could not be loaded: {first_line(error)}", next_step=source.wanted.layout
        ) from error


def _gguf(source: Source) -> dict[str, Any]:
    if not source.gguf:
        return {}
    if find_spec("gguf") is None:
        raise ExtraMissing("gguf", extra="gguf", why=f"Reading {source.gguf}, a {GGUF} file,")
    return {"gguf_file": source.gguf}


def new_tokenizer(texts: Sequence[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer (Sennrich, Haddow and Birch 2016; Radford et al. 2019) learnt from these texts alone.

    The same texts in any order give the same tokenizer. It knows every text, has :data:`SCRATCH_TEMPLATE`, and no padding.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary, _BYTES + len(_SPECIALS)),
        min_frequency=2,
        special_tokens=[*_SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.encode("utf-8", "replace").decode("utf-8") for text in sorted(texts)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        additional_special_tokens=[*_SPECIALS[1:]],
        chat_template=SCRATCH_TEMPLATE,
    )


def new_network(shape: Shape, *, tokenizer: PreTrainedTokenizerFast, max_tokens: int, seed: int) -> PreTrainedModel:
    """A small network of the Llama kind with new weights, the same for the same seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=-(-8 * shape.width // (3 * _MULTIPLE)) * _MULTIPLE,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=max_tokens,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LlamaForCausalLM(config)
    network.eval()
    return network
