"""A generator of the GPT kind that answers conversations: built from a source, answering, scored, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.generators.chat import ChatTokens
from ratchet.generators.generators import Shape, network_of, new_network, new_tokenizer, tokenizer_of
from ratchet.generators.greedy import Decoding, answer_losses, choice_losses, decode
from ratchet.generators.sampled import Sampling
from ratchet.models.checkpoints import CAUSAL_PACKAGE, GENERATOR, Source, locate
from ratchet.models.encoder import read_json, require_torch
from ratchet.models.quiet import quiet_transformers
from ratchet.recipe.decoder import LEAST_PROMPT
from ratchet.tables.conversations import Turn
from ratchet.workspace.workspace import atomic_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = 1
CARD = "decoder.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDecoder:
    """A network and its tokenizer; saved as a Hugging Face directory with safetensors weights."""

    network: PreTrainedModel
    tokens: ChatTokens
    source: str
    """What it was made from: ``scratch``, a directory, ``package:NAME`` or a hub id."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained, as JSON values."""
    threads: int = 0
    """Cores that it uses; 0: all."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of a prompt and its answer together."""
        return self.tokens.max_tokens

    @property
    def max_new_tokens(self) -> int:
        """Most tokens of an answer."""
        return self.tokens.max_new_tokens

    @property
    def parameters(self) -> int:
        """Numbers in the network, shared ones once."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def generate(self, prompts: Sequence[Sequence[Turn]], *, sampling: Sampling | None = None) -> list[str]:
        """The answer to each conversation: the most probable token at each step, or one that is drawn.

        In float32 an answer is the same in any company; how many threads count may change a rounding.
        """
        asked = [self.tokens.prompt(one) for one in prompts]
        return [self.tokens.text(ids) for ids in self.generate_ids(asked, sampling=sampling)]

    def generate_ids(
        self,
        prompts: Sequence[npt.NDArray[np.int64]],
        *,
        sampling: Sampling | None = None,
        enough: Callable[[str], bool] | None = None,
    ) -> list[list[int]]:
        """The tokens of the answers to prompts that are token ids already, without the one that ends each.

        Args:
            prompts: (tokens,) each.
            sampling: how tokens are drawn; ``None``: the most probable one.
            enough: asked at the end of each line whether the text so far will do.

        Returns:
            The tokens; an answer of ``max_new_tokens`` was cut.
        """
        how = Decoding(
            stops=self.stops,
            new_tokens=self.max_new_tokens,
            pad_id=self.tokens.pad_id,
            sampling=sampling,
            enough=None if enough is None else partial(self._enough, enough),
        )
        with self.asked():
            return decode(self.network, prompts, how)

    def write(
        self,
        prompt: npt.NDArray[np.int64],
        *,
        new_tokens: int,
        sampling: Sampling | None = None,
        enough: Callable[[Sequence[int]], bool],
    ) -> list[int]:
        """The tokens of one answer, told while they come.

        Args:
            prompt: (tokens,)
            new_tokens: at most so many, and no more than ``max_new_tokens``.
            sampling: how tokens are drawn; ``None``: the most probable one.
            enough: called with all tokens so far after each; whether they will do.
        """
        how = Decoding(
            stops=self.stops,
            new_tokens=min(new_tokens, self.max_new_tokens),
            pad_id=self.tokens.pad_id,
            sampling=sampling,
            enough=enough,
        )
        with self.asked():
            return decode(self.network, [prompt], how)[0]

    def _enough(self, asked: Callable[[str], bool], ids: Sequence[int]) -> bool:
        line_ends = "\n" in self.tokens.tokenizer.decode([ids[-1]])
        return line_ends and asked(self.tokens.tokenizer.decode([*ids], skip_special_tokens=True))

    def nll(self, prompts: Sequence[Sequence[Turn]], answers: Sequence[str]) -> npt.NDArray[np.float64]:
        """(n,) the mean negative log-likelihood of an answer's tokens, in nats; its exponential is the perplexity."""
        summed = self.answer_nll(prompts, answers)
        return summed[:, 0] / np.maximum(summed[:, 1], 1)

    def answer_nll(self, prompts: Sequence[Sequence[Turn]], answers: Sequence[str]) -> npt.NDArray[np.float64]:
        """(n, 2) the negative log-likelihood of each answer, end included, and its tokens, as the gate's column ``nll``."""
        examples = [self.tokens.example(*one) for one in zip(prompts, answers, strict=True)]
        with self.asked():
            return answer_losses(
                self.network,
                examples,
                pad_id=self.tokens.pad_id,
                vocabulary=self.network.get_output_embeddings().weight.shape[0],
            )

    def choice_nll(self, prompts: Sequence[Sequence[Turn]], choices: Sequence[str]) -> npt.NDArray[np.float64]:
        """(n, k) the negative log-likelihood of each choice, end included, as the answer to each conversation."""
        found = np.zeros((len(prompts), len(choices)))
        ends = [self.tokens.answer(one) for one in choices]
        with self.asked():
            for row, prompt in enumerate(prompts):
                asked = self.tokens.prompt(prompt)
                found[row] = choice_losses(self.network, asked, ends, pad_id=self.tokens.pad_id)
        return found

    @property
    def stops(self) -> frozenset[int]:
        """The tokens after which it has answered: the tokenizer's, and those that the checkpoint names."""
        named = getattr(self.network.generation_config, "eos_token_id", None)
        further = named if isinstance(named, list) else [] if named is None else [named]
        return self.tokens.stops | frozenset(further)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """The network without dropout and gradients, on the threads of this decoder; put back afterwards."""
        import torch

        from ratchet.models.network import using_threads

        training = self.network.training
        self.network.eval()
        try:
            with torch.inference_mode(), using_threads(self.threads):
                yield
        finally:
            self.network.train(training)

    def save(self, folder: Path) -> None:
        """Write a folder that :func:`load_decoder` and transformers' ``AutoModelForCausalLM`` can load.

        Weights that bfloat16 holds exactly are written in it, others in float32.

        Raises:
            WorkspaceError: the disk is full or read-only; nothing is left behind.
        """
        with atomic_folder(folder) as target, quiet_transformers():
            _write_weights(self.network, target)
            self.tokens.tokenizer.chat_template = self.tokens.template  # whoever loads it renders the same
            self.tokens.tokenizer.save_pretrained(target)
            card = {
                "format": FORMAT,
                "max_tokens": self.max_tokens,
                "max_new_tokens": self.max_new_tokens,
                "source": self.source,
                "facts": dict(self.facts),
            }
            (target / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def build_decoder(
    source: str,
    *,
    max_tokens: int,
    max_new_tokens: int,
    language: str = "en",
    texts: Sequence[str] = (),
    shape: Shape | None = None,
    seed: int = 0,
    threads: int = 0,
    pretrained: bool = False,
) -> FittedDecoder:
    """A generator that is not trained here yet.

    Args:
        source: a directory, a GGUF file, ``package:NAME``, a hub id, ``scratch``, or ``auto``: an installed package for
            English, and from scratch otherwise.
        max_tokens: of a prompt and its answer together; fewer where the checkpoint has fewer positions.
        max_new_tokens: of an answer.
        language: of the texts: ``zh``, ``en`` or ``mixed``.
        texts: of the train part, answers among them: a tokenizer from scratch is learnt from them alone.
        shape: of a model from scratch.
        seed: of new weights.
        threads: cores that it uses; 0: all.
        pretrained: refuse new weights.

    Raises:
        RatchetError: the source is not usable, or an answer leaves no room for a prompt.
        ExtraMissing: torch, transformers, or what reads a GGUF file, is not installed.
    """
    require_torch()
    found = locate(source, language=language, wanted=GENERATOR)
    if pretrained:
        require_pretrained(found, asked=source, language=language)
    if found.folder is None:
        chosen = shape or Shape()
        with quiet_transformers():
            tokenizer = new_tokenizer(texts, vocabulary=chosen.vocabulary)
            network = new_network(chosen, tokenizer=tokenizer, max_tokens=max_tokens, seed=seed)
        tokens = ChatTokens(
            tokenizer=tokenizer, max_tokens=max_tokens, max_new_tokens=_fitting(max_new_tokens, max_tokens=max_tokens)
        )
        return FittedDecoder(network=network, tokens=tokens, source=found.name, threads=threads)
    return _loaded(found, max_tokens=max_tokens, max_new_tokens=max_new_tokens, threads=threads)


def require_pretrained(source: Source, *, asked: str, language: str) -> None:
    """Refuse new weights where nothing is trained.

    Raises:
        RatchetError: the source is from scratch.
    """
    if source.folder is None:
        raise RatchetError(
            f"The generator source {asked!r} must lead to a pretrained one but there is none for texts in {language!r}.",
            next_step=f"Name a directory, a GGUF file or package:NAME; for English: pip install "
            f"{CAUSAL_PACKAGE.replace('_', '-')} gguf",
        )


def load_decoder(folder: Path, *, threads: int = 0) -> FittedDecoder:
    """Load what :meth:`FittedDecoder.save` wrote.

    Raises:
        RatchetError: the folder is not a saved generator, or is damaged.
        ExtraMissing: torch or transformers is not installed.
    """
    require_torch()
    card = read_json(folder / CARD)
    if card.get("format") != FORMAT:
        raise RatchetError(f"{folder / CARD} must have the format {FORMAT} but got {card.get('format')!r}.")
    lengths = [card.get("max_tokens"), card.get("max_new_tokens")]
    if not all(type(one) is int and one > 0 for one in lengths) or not isinstance(card.get("facts"), dict):
        raise RatchetError(f"{folder / CARD} must be as it was written but was changed.", next_step="Copy it again.")
    found = locate(str(folder.absolute()), language="", wanted=GENERATOR)
    loaded = _loaded(found, max_tokens=card["max_tokens"], max_new_tokens=card["max_new_tokens"], threads=threads)
    return replace(loaded, source=str(card.get("source")), facts=card["facts"])


def _loaded(source: Source, *, max_tokens: int, max_new_tokens: int, threads: int) -> FittedDecoder:
    with quiet_transformers():
        tokenizer = tokenizer_of(source)
        network = network_of(source)
    positions = int(getattr(network.config, "max_position_embeddings", None) or max_tokens)
    room = min(max_tokens, positions)
    tokens = ChatTokens(tokenizer=tokenizer, max_tokens=room, max_new_tokens=_fitting(max_new_tokens, max_tokens=room))
    entries, rows = len(tokenizer), network.get_input_embeddings().weight.shape[0]
    if max(entries - 1, *tokens.stops) >= rows:
        raise RatchetError(
            f"The tokenizer of {source.name!r} must have at most {rows} entries, as its embeddings have, but has {entries}.",
            next_step="Take the tokenizer that belongs to the checkpoint.",
        )
    return FittedDecoder(network=network, tokens=tokens, source=source.name, threads=threads)


def _fitting(max_new_tokens: int, *, max_tokens: int) -> int:
    if max_new_tokens + LEAST_PROMPT > max_tokens:
        raise RatchetError(
            f"max_new_tokens must leave {LEAST_PROMPT} of the {max_tokens} tokens of a prompt with its answer to the prompt "
            f"but got {max_new_tokens}.",
            next_step="Raise max_tokens, or lower max_new_tokens.",
        )
    return max_new_tokens


def _write_weights(network: PreTrainedModel, folder: Path) -> None:
    """The network's weights, in half the bytes where that changes none of them."""
    import torch

    state = network.state_dict()
    small = {place.data_ptr(): place.to(torch.bfloat16) for place in state.values() if place.is_floating_point()}
    exact = all(
        torch.equal(small[one.data_ptr()].to(one.dtype), one) for one in state.values() if one.is_floating_point()
    )
    if exact:  # shared weights stay one tensor
        state = {name: small.get(one.data_ptr(), one) for name, one in state.items()}
    network.save_pretrained(folder, state_dict={name: one.contiguous().cpu() for name, one in state.items()})
