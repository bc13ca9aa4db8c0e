from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers

DESCRIPTOR: _descriptor.FileDescriptor

class Cell(_message.Message):
    __slots__ = ("number", "text")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    text: str
    number: float
    def __init__(self, text: str | None = ..., number: float | None = ...) -> None: ...

class Row(_message.Message):
    __slots__ = ("cells",)
    class CellsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Cell
        def __init__(self, key: str | None = ..., value: Cell | _Mapping | None = ...) -> None: ...

    CELLS_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.MessageMap[str, Cell]
    def __init__(self, cells: _Mapping[str, Cell] | None = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("id", "rows", "texts")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    id: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    rows: _containers.RepeatedCompositeFieldContainer[Row]
    def __init__(
        self,
        id: str | None = ...,
        texts: _Iterable[str] | None = ...,
        rows: _Iterable[Row | _Mapping] | None = ...,
    ) -> None: ...

class Prediction(_message.Message):
    __slots__ = ("abstain", "high", "label", "labels", "low", "other", "probabilities", "probability", "text", "value")
    class ProbabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: str | None = ..., value: float | None = ...) -> None: ...

    class OtherEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: str | None = ..., value: str | None = ...) -> None: ...

    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ABSTAIN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    probabilities: _containers.ScalarMap[str, float]
    labels: _containers.RepeatedScalarFieldContainer[str]
    abstain: bool
    value: float
    low: float
    high: float
    text: str
    other: _containers.ScalarMap[str, str]
    def __init__(
        self,
        label: str | None = ...,
        probability: float | None = ...,
        probabilities: _Mapping[str, float] | None = ...,
        labels: _Iterable[str] | None = ...,
        abstain: bool | None = ...,
        value: float | None = ...,
        low: float | None = ...,
        high: float | None = ...,
        text: str | None = ...,
        other: _Mapping[str, str] | None = ...,
    ) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("bundle", "id", "model", "predictions", "refusal")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    bundle: str
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    refusal: Refusal
    def __init__(
        self,
        id: str | None = ...,
        model: str | None = ...,
        bundle: str | None = ...,
        predictions: _Iterable[Prediction | _Mapping] | None = ...,
        refusal: Refusal | _Mapping | None = ...,
    ) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("message", "status", "type")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    status: int
    type: str
    message: str
    def __init__(
        self, status: int | None = ..., type: str | None = ..., message: str | None = ...
    ) -> None: ...
