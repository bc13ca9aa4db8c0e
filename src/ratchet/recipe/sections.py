"""The recipe: everything a run may be told, frozen, with a working default for each key."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from ratchet.recipe.answer import AnswerConfig
from ratchet.recipe.augment import EdaSpec as EdaSpec
from ratchet.recipe.data import DataConfig as DataConfig
from ratchet.recipe.data import FeatureKind as FeatureKind
from ratchet.recipe.endpoint import JudgeSpec
from ratchet.recipe.metric import MetricName
from ratchet.recipe.place import File, ModelSource
from ratchet.recipe.report import ReportConfig
from ratchet.recipe.section import Name as Name
from ratchet.recipe.section import Section as Section
from ratchet.recipe.section import name_after as name_after
from ratchet.recipe.track import TrackConfig
from ratchet.recipe.training import TrainingKeys
from ratchet.recipe.watch import AlertSpec, WatchConfig


class ColumnRule(Section):
    """What every filled cell of one column must be."""

    kind: Literal[
        "any", "phone", "phone_plain", "email", "url", "date", "time", "number", "id_card", "postcode", "ip", "category"
    ] = "any"
    """Mainland mobile number, any 11 digits, e-mail, URL, date, time, number, ID card with check digit, postcode, IP, or
    one of ``values``; any: no such rule, and no guess either."""
    pattern: str = ""
    """Regular expression (RE2) that the whole cell must match; empty: none."""
    low: float | None = None
    """Smallest number; 万, 亿, % and full-width digits are understood."""
    high: float | None = None
    """Largest number."""
    values: tuple[str, ...] = ()
    """The only values it may have; empty: any."""
    required: bool = False
    """No cell may be missing."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.low is not None and self.high is not None and self.high < self.low:
            raise ValueError(f"high must be at least low ({self.low:g}) but got {self.high:g}.")
        if self.kind == "category" and not self.values:
            raise ValueError("values must name the categories but is empty.")
        return self


class CheckConfig(Section):
    """What the data check looks for."""

    columns: dict[str, ColumnRule] = Field(default={})
    """Rules by column name, such as ``{tel: {kind: phone}, age: {low: 0, high: 150}}``; other columns are guessed."""
    guess: float = Field(default=0.90, gt=0.5, le=1)
    """Share of a column's cells that must be of one kind for the others to be listed as wrong."""
    missing_share: float = Field(default=0.30, ge=0, le=1)
    """A column with this share of missing cells or more is suggested for dropping."""
    near_threshold: float = Field(default=0.7, ge=0.1, le=1)
    """Jaccard similarity of character n-grams from which two texts are near-duplicates."""
    near_ngram: int = Field(default=3, ge=1, le=4)
    """Length of those character n-grams."""
    imbalance: float = Field(default=10.0, gt=1)
    """Ratio of the largest to the smallest class from which imbalance is a warning."""
    context_tokens: int = Field(default=4096, ge=16)
    """Estimated tokens beyond which a conversation, or a prompt with its answer, is listed as too long."""
    model_rows: int = Field(default=50_000, ge=100)
    """Rows, in whole clusters of duplicates, on which the check fits the baseline."""


TextFix = Literal["mojibake", "html", "invisible", "mask"]


class PrepareConfig(Section):
    """Which fixes are applied before the split; every changed cell and removed row is kept, with its reason."""

    text: tuple[TextFix, ...] = ()
    """Repair mojibake, take out HTML or invisible characters, mask personal data: in all parts and before each prediction."""
    labels: dict[str, Annotated[str, Field(min_length=1)]] = Field(default={})
    """New names of labels, such as ``{"Pos ": pos, positive: pos}``."""
    review: File = ""
    """Queue of ``ratchet check --queue`` whose column ``decision`` somebody filled in: keep, drop or the right label."""
    remove: tuple[Literal["text.wordless", "text.replacement", "text.language"], ...] = ()
    """Findings whose rows are taken out: no letter or digit, lost characters, another script than most rows."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Further copies of the same text with the same label."""
    conflicts: Literal["drop", "majority", "keep"] = "drop"
    """The same text with two labels: drop every copy, keep the majority label, or keep all."""
    drop_columns: tuple[str, ...] = ()
    """Columns to leave out."""


class SplitConfig(Section):
    """How the rows are divided."""

    order: Literal["random", "time"] = "random"
    """random: every label has its share of every part; time: the latest rows are test, the latest of the rest valid."""
    test: float = Field(default=0.15, ge=0.001, lt=1)
    """Share of the rows in the sealed test part."""
    folds: int = Field(default=5, ge=2, le=20)
    """Folds of the other rows; fold 0 is the valid part, the others are train. In time order valid is one in so many."""
    near: bool = True
    """Keep near-duplicates in one part."""
    near_threshold: float = Field(default=0.5, ge=0.1, le=1)
    """Similarity (Jaccard, character bigrams; 4-grams for alphabetic scripts) from which texts stay in one part."""


class ClaimSpec(Section):
    """One thing that a contender must show to replace a champion that it does not beat."""

    metric: MetricName
    """A metric of the task, cost or latency."""
    margin: float | None = Field(default=None, gt=0)
    """Not worse by this: 0.01 is a point; of an error, a hundredth of the middle half of the values."""
    times: float | None = Field(default=None, ge=1)
    """Cost or latency: the champion takes more than so many times as much."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.margin is None) == (self.times is None):
            raise ValueError("metric must have either margin or times beside it.")
        if self.times is not None and self.metric not in ("cost", "latency"):
            raise ValueError(f"times must be said of cost or latency but is said of {self.metric}.")
        return self


class GateConfig(Section):
    """What a challenger must prove."""

    metrics: tuple[MetricName, ...] = ()
    """Every one of these must be better; empty: the task's own. docs/tasks.md lists them; ``module:function`` is yours, and
    ``{metric: "module:function", goal: min}`` where less is better."""
    alpha: float = Field(default=0.05, ge=1e-9, lt=0.5)
    """Chance that any challenger is ever promoted on these rows without being better, however many come (one-sided)."""
    margin: float = Field(default=0.01, ge=1e-9, lt=0.5)
    """Loss that smaller or faster forms may have, all together, since the last model that was proven better."""
    claims: tuple[ClaimSpec, ...] = ()
    """What lets a contender replace a champion that it does not beat (docs/endpoint.md); all must hold. Empty: nothing."""
    hour: float = Field(default=0.0, ge=0)
    """Price of an hour of this machine, in the currency of endpoints: what answers of models that run here cost."""
    seconds: float = Field(default=300.0, gt=0)
    """Seconds in which models that run here are timed for claims of cost or latency; slow ones are timed on some rows alone."""
    budget: float = Field(default=10.0, ge=0)
    """Minutes that may buy evidence for a challenger that is undecided but may still win: an encoder's folds, then seeds."""

    @property
    def scored(self) -> tuple[str, ...]:
        """All metrics of the answers that a verdict may be about, each once."""
        claimed = [claim.metric for claim in self.claims if claim.metric not in ("cost", "latency")]
        return tuple(dict.fromkeys((*self.metrics, *claimed)))

    @model_validator(mode="after")
    def _gained(self) -> Self:
        if self.claims and all(claim.times is None for claim in self.claims):
            raise ValueError(
                "claims must have one with times, of cost or latency: nobody takes the place for being not worse."
            )
        return self


class LinearFeatures(Section):
    """One block of n-gram features."""

    unit: Literal["char", "word"] = "char"
    """Characters, or words (runs of letters and digits; each Chinese character is a word)."""
    low: int = Field(default=1, ge=1, le=8)
    """Shortest n-gram."""
    high: int = Field(default=2, ge=1, le=8)
    """Longest n-gram."""
    weighting: Literal["tfidf", "nb"] = "tfidf"
    """TF-IDF, or binary counts times the naive-Bayes log-count ratio."""
    sublinear: bool = False
    """Use 1 + log(count)."""
    min_df: int = Field(default=1, ge=1)
    """N-grams in fewer rows are left out."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high must be at least low ({self.low}) but got {self.high}.")
        return self


class LinearSpec(Section):
    """Logistic regression on n-gram features."""

    kind: Literal["linear"] = "linear"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    features: tuple[LinearFeatures, ...] = ()
    """Blocks of features side by side; empty: chosen by language."""
    C: float = Field(default=1.0, ge=1e-9, le=1e9)
    """Inverse strength of the L2 penalty."""
    columns: tuple[str, ...] | None = None
    """Columns of ``data.features`` that it uses beside the text; absent: all, []: none."""


class BlendSpec(Section):
    """The average of the probabilities of several linear models."""

    kind: Literal["blend"] = "blend"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    members: tuple[LinearSpec, ...] = ()
    """The models; empty: chosen by language."""
    columns: tuple[str, ...] | None = None
    """Columns of ``data.features`` that all members use beside the text; absent: all, []: none."""

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if any(member.columns is not None for member in self.members):
            raise ValueError("members must leave columns to the blend, which has one set for all, but one has its own.")
        return self


class BalanceSpec(Section):
    """The champion's own model, trained on a re-balanced train part; valid and test stay as they are."""

    kind: Literal["balance"] = "balance"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    method: Literal["under", "over", "weights"] = "over"
    """Take rows out of the large labels, repeat rows of the small ones, or weight them."""
    ratio: float = Field(default=3.0, ge=1)
    """Largest allowed quotient of two labels' rows in training."""
    target: dict[str, float] | None = None
    """Share of each label in training, instead of a ratio; the shares add up to 1."""


class EncoderSpec(TrainingKeys):
    """A transformer encoder with a head for the task, trained as a whole or in its upper layers."""

    kind: Literal["encoder"] = "encoder"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    source: ModelSource = "auto"
    """``scratch``, a directory, ``package:NAME`` (an installed package that carries a model), a hub id, or ``auto``."""
    layers: int = Field(default=2, ge=1, le=128)
    """Layers of a model from scratch; a pretrained one has its own."""
    width: int = Field(default=128, ge=8, le=16_384)
    """Width of a model from scratch; a multiple of ``heads``."""
    heads: int = Field(default=4, ge=1, le=256)
    """Attention heads of a model from scratch."""
    vocabulary: int = Field(default=6000, ge=64, le=1_000_000)
    """Entries in the vocabulary of a model from scratch."""
    frozen_layers: int | None = Field(default=None, ge=0)
    """Lowest layers (and the embeddings) that are not trained; absent: half of a pretrained model's, none from scratch."""
    max_tokens: int = Field(default=128, ge=8, le=65_536)
    """Longer texts are cut, or read in windows of so many tokens."""
    windows: int = Field(default=1, ge=1, le=64)
    """A longer text is read in up to so many windows that overlap by a quarter, and their answers are averaged; 1: cut."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of activations set to zero in training."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target probability that is spread over all labels."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: each label weighs as much as every other in the loss, however rare it is."""
    focal: float = Field(default=0.0, ge=0, le=10)
    """Exponent of the focal loss, which gives rows that are right already less weight; 0: plain cross-entropy."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads ({self.heads}) but got {self.width}.")
        return self


class EmbeddingSpec(Section):
    """Logistic regression on the vectors of a pretrained encoder, which is not trained itself."""

    kind: Literal["embedding"] = "embedding"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    source: ModelSource = "auto"
    """A directory, ``package:NAME`` (an installed package that carries a model), a hub id, or ``auto``."""
    pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    """How the tokens' vectors become one: their mean, the first, the last, or as the model's own files say."""
    normalize: bool = True
    """Give every vector the length 1."""
    max_tokens: int = Field(default=128, ge=8, le=65_536)
    """Longer texts are cut."""
    C: float = Field(default=30.0, ge=1e-9, le=1e9)
    """Inverse strength of the L2 penalty."""
    columns: tuple[str, ...] | None = None
    """Columns of ``data.features`` that it uses beside the text; absent: all, []: none."""


class NearestSpec(Section):
    """The answer of the most alike training prompt, by TF-IDF over character n-grams; for generation."""

    kind: Literal["nearest"] = "nearest"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    low: int = Field(default=2, ge=1, le=8)
    """Shortest n-gram."""
    high: int = Field(default=4, ge=1, le=8)
    """Longest n-gram."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high must be at least low ({self.low}) but got {self.high}.")
        return self


class AnswersSpec(Section):
    """Answers to the rows from anywhere: a table, or a log of lm-evaluation-harness, Inspect or promptfoo. They may win, but
    cannot be exported."""

    kind: Literal["answers"] = "answers"
    """Which kind of contender this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    file: File = "answers.csv"
    """The file or folder; relative to the recipe."""
    part: str = ""
    """Which filter, provider or model of the file, where it has several."""
    answer: str = ""
    """Column of a table with the answers; empty: a usual name, such as prediction."""
    id: str = ""
    """Column of a table that names the row; empty: a usual name. It must agree with ``data.id``."""
    text: str = ""
    """Column of a table with the text; empty: a usual name."""
    most_missing: float = Field(default=0.05, ge=0, le=1)
    """Share of the rows that may have no answer; each counts as wrong."""


class CompressConfig(Section):
    """Which smaller forms of the champion are tried."""

    methods: tuple[str, ...] = ("prune", "int8")
    """The ways to make it smaller, tried in this order, each on what the one before made: prune (linear models lose the half
    of their n-grams with the smallest weights), int8 (weights in one byte); empty: none."""


class ExportConfig(Section):
    """The bundle."""

    tolerance: float = Field(default=1e-4, gt=0)
    """Largest difference of a probability between the trained model and its exported form."""
    refit: bool = True
    """Train the winner once more on all rows but the test part before it is exported."""
    disagreement: float = Field(default=0.0, ge=0, le=1)
    """Largest share of rows whose predicted label may differ."""
    golden: int = Field(default=32, ge=0, le=256)
    """Rows of the valid part that the bundle brings with its answers, so that a server proves itself before it serves; what
    looks like personal data is masked in them. 0: none."""


class EngineConfig(Section):
    """Who does the work on long columns; the results are the same."""

    kind: Literal["local", "ray"] = "local"
    """``local``: the threads of this process; ``ray``: the workers of a Ray cluster."""
    address: str = ""
    """Where the cluster is: ``auto``, ``HOST:6379`` or ``ray://HOST:10001``; empty: one is started on this machine."""


_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class ServeConfig(Section):
    """The server."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0: any free one."""
    names: tuple[str, ...] = ()
    """Names by which clients may call a server that wants no key, besides localhost and its address: a proxy's, say."""
    max_text_bytes: int = Field(default=64_000, ge=1)
    """Longer texts are refused with status 413."""
    max_texts: int = Field(default=256, ge=1)
    """Texts in one request."""
    workers: int = Field(default=0, ge=0)
    """Requests computed at the same time, by processes where the model is a graph, else by threads; 0: a process for each
    core, or two threads. The cores are divided among them."""
    queue: int = Field(default=64, ge=0)
    """Requests that may wait for a worker; further ones get status 429 with Retry-After."""
    deadline: float = Field(default=30.0, gt=0)
    """Seconds for one request, waiting included; later it gets status 504."""
    keys: File = ""
    """The key file, as `ratchet keys` writes it; clients must send one of its keys."""
    audit: File = ""
    """A file that gets a line of JSON for each request: who asked, what for and how it ended, but no contents."""
    tls_cert: File = ""
    """The certificate (PEM, the chain after it); with `tls_key` the server speaks TLS alone, 1.2 or newer."""
    tls_key: File = ""
    """The key of the certificate (PEM, without a password), which nobody else may read."""
    origins: tuple[str, ...] = ()
    """Sites whose pages may call the server from a browser, such as `https://app.example.org`."""

    @field_validator("origins")
    @classmethod
    def _whole_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"an origin must be a site such as https://app.example.org but got {origin!r}")
        return value

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            given, other = ("tls_cert", "tls_key") if self.tls_cert else ("tls_key", "tls_cert")
            raise ValueError(f"{given} must be given together with {other}")
        return self


def _by_kind(value: object) -> object:
    """The section of a challenger's values: which kinds there are is known to the registry."""
    from ratchet.recipe.registered import challenger

    return challenger(value)


class Recipe(Section):
    """The whole run."""

    name: Name = "run"
    """Name of the run, for people."""
    workspace: File = ".ratchet"
    """Folder of the ledger, the models and the bundles; relative to the recipe."""
    seed: int = Field(default=7, ge=0)
    """Seed of everything random."""
    task: str = "auto"
    """classification, multilabel, regression, generation; auto: what the answers look like, which is said."""
    threads: int = Field(default=0, ge=0, le=1024)
    """Threads for training and ONNX Runtime; 0: all cores."""
    engine: EngineConfig = EngineConfig()
    data: DataConfig = DataConfig()
    check: CheckConfig = CheckConfig()
    prepare: PrepareConfig = PrepareConfig()
    split: SplitConfig = SplitConfig()
    gate: GateConfig = GateConfig()
    judge: JudgeSpec = JudgeSpec()
    answer: AnswerConfig = AnswerConfig()
    baseline: LinearSpec = LinearSpec(name="tfidf-lr")
    train: EncoderSpec = EncoderSpec(name="encoder")
    """How the encoder is trained; an encoder among the challengers takes from here what it does not say itself."""
    challengers: tuple[SerializeAsAny[Annotated[Section, BeforeValidator(_by_kind)]], ...] | None = None
    """What is tried after the baseline, in this order; absent: chosen by language and by what is installed."""
    augment: tuple[SerializeAsAny[Annotated[Section, BeforeValidator(_by_kind)]], ...] = ()
    """Ways to make more training rows, such as ``[{kind: eda}, {kind: pseudo}]``: challengers beside the others."""
    compress: CompressConfig = CompressConfig()
    export: ExportConfig = ExportConfig()
    serve: ServeConfig = ServeConfig()
    report: ReportConfig = ReportConfig()
    watch: WatchConfig = WatchConfig()
    alerts: tuple[AlertSpec, ...] = ()
    """What is done when a number of a training leaves its bounds, such as ``[{metric: train/norm, above: 100}]``."""
    track: TrackConfig = TrackConfig()

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if self.split.order == "time" and self.data.time is None:
            raise ValueError("data.time must name the time column when split.order is time but is absent.")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        entries = (self.baseline, *(self.challengers or ()), *self.augment)
        names = [name for entry in entries if (name := getattr(entry, "name", ""))]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(
                f"challengers must have names of their own, beside the baseline's too, but got {twice!r} twice."
            )
        return self
