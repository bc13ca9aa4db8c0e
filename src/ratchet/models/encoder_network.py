"""Networks and tokenizers of encoders: read from a checkpoint, or new and small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ratchet.errors import RatchetError
from ratchet.models.checkpoints import Pooling, Source, first_line
from ratchet.models.tokens import TextEncoder
from ratchet.recipe.sections import EncoderSpec

if TYPE_CHECKING:
    from ratchet.models.network import Classifier

OFFSET_POSITIONS = frozenset(
    {"roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "xmod"}
)
"""Families that count positions from ``pad_id + 1``: 514 position embeddings serve 512 tokens."""
FEED_FORWARD = 2
"""Inner width of a from-scratch model's feed-forward part, in widths; 4 was as accurate and a third slower."""


def new_network(spec: EncoderSpec, *, tokens: TextEncoder, labels: int) -> Classifier:
    """A classifier from scratch, of the spec's size."""
    from transformers import BertConfig, BertModel

    from ratchet.models.network import Classifier

    config = BertConfig(
        vocab_size=tokens.tokenizer.get_vocab_size(),
        hidden_size=spec.width,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        intermediate_size=FEED_FORWARD * spec.width,
        max_position_embeddings=spec.max_tokens,
        hidden_dropout_prob=spec.dropout,
        attention_probs_dropout_prob=0.0,
        type_vocab_size=1,
        pad_token_id=tokens.pad_id,
    )
    backbone = BertModel(config, add_pooling_layer=False)
    return Classifier(backbone, pooling="mean", width=spec.width, labels=labels, dropout=spec.dropout)


def read_network(
    source: Source, *, labels: Sequence[str], dropout: float, pooling: Pooling | None = None
) -> Classifier:
    """A classifier with the checkpoint's weights, all of them, in float32; no code of the checkpoint is run."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

    from ratchet.models.network import Classifier

    pooling = pooling or source.pooling
    own = pooling == "own"
    kind = AutoModelForSequenceClassification if own else AutoModel
    try:
        config = AutoConfig.from_pretrained(source.folder, local_files_only=True, trust_remote_code=False)
        _set_dropout(config, share=dropout)
        if own:
            config.id2label = dict(enumerate(labels))
            config.label2id = {label: column for column, label in enumerate(labels)}
        backbone, report = kind.from_pretrained(
            source.folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=own,  # a head for other labels is replaced
            output_loading_info=True,
            **({} if own or not _has_pooler(config) else {"add_pooling_layer": False}),
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise RatchetError(
            f"The encoder {source.name!r} could not be loaded: {first_line(error)}",
            next_step="Give a directory with config.json, model.safetensors and tokenizer.json.",
        ) from error
    prefix = f"{backbone.base_model_prefix}." if own else ""  # what lies beside the base is the head, which is new
    missing = sorted(
        key.removeprefix(prefix) for key in report["missing_keys"] if key.startswith(prefix) and "pooler" not in key
    )
    if missing:
        raise RatchetError(
            f"The encoder {source.name!r} must hold all weights of a {config.model_type} but {missing[0]!r}"
            f" and {len(missing) - 1} others are missing.",
            next_step="Download the checkpoint again, or name another one.",
        )
    return Classifier(backbone, pooling=pooling, width=config.hidden_size, labels=len(labels), dropout=dropout)


def _has_pooler(config: Any) -> bool:
    return config.model_type in {"bert", "roberta", "xlm-roberta", "camembert", "mpnet", "ernie", "albert", "xmod"}


def _set_dropout(config: Any, *, share: float) -> None:
    """Hidden dropout as the recipe says; none on attention weights, which would forbid the fused kernel."""
    for name in ("hidden_dropout_prob", "dropout", "seq_classif_dropout", "classifier_dropout", "mlp_dropout"):
        if getattr(config, name, None) is not None:
            setattr(config, name, share)
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if getattr(config, name, None) is not None:
            setattr(config, name, 0.0)


def tokens_of(source: Source, *, max_tokens: int, columns: int = 1) -> TextEncoder:
    """The checkpoint's tokenizer, cut to what both the recipe and the position embeddings allow."""
    config = source.config
    pad_id = int(config.get("pad_token_id") or 0)
    positions = int(config.get("max_position_embeddings") or max_tokens)
    if config["model_type"] in OFFSET_POSITIONS:
        positions -= pad_id + 1
    try:
        tokens = TextEncoder.from_json(
            _tokenizer_file(source), max_tokens=min(max_tokens, positions), pad_id=pad_id, columns=columns
        )
    except Exception as error:  # tokenizers has no class of its own
        raise RatchetError(
            f"The encoder {source.name!r} must have a usable tokenizer but: {first_line(error)}",
            next_step="Give a directory with config.json, model.safetensors and tokenizer.json.",
        ) from error
    entries = tokens.tokenizer.get_vocab_size()
    if entries > int(config["vocab_size"]):
        raise RatchetError(
            f"The tokenizer of {source.name!r} must have at most {config['vocab_size']} entries, as its embeddings have,"
            f" but has {entries}.",
            next_step="Take the tokenizer that belongs to the checkpoint.",
        )
    return tokens


def _tokenizer_file(source: Source) -> str:
    assert source.folder is not None
    path = source.folder / "tokenizer.json"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.folder, local_files_only=True, trust_remote_code=False)
    contents: str = tokenizer.backend_tokenizer.to_str()
    return contents
