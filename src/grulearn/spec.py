"""What network it is: sizes and options as frozen, JSON-ready data.

A :class:`NetworkSpec` says what a network computes and holds no weight. Engines build from it, the
model file stores it. A field that is missing from stored data means its default here, and a default
never changes: files written before an option existed keep their meaning.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Real
from typing import Any, Self

__all__ = ["CellSpec", "HeadSpec", "InputSpec", "NetworkSpec", "PoolSpec"]

POOL_KINDS = ("last", "mean", "max", "attention")
TARGETS = ("value", "sequence")
LOSSES = (
    "squared_error",
    "absolute_error",
    "huber",
    "pinball",
    "poisson",
    "gaussian",
    "cross_entropy",
    "binary_cross_entropy",
)
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class InputSpec:
    """What one step of a sequence holds, and what the network makes of it before layer 0.

    Parameters
    ----------
    n_features : int
        Number of numeric features F of each step: at least 1, or at least 0 beside categorical ones.
    categorical : sequence of (n_codes, size), default=()
        For each categorical feature the number of its codes, 0 to n_codes - 1, and the size of the vector
        that is learned for each of them. Code 0 is the one of values that training has not seen.
    decay : bool, default=False
        Whether the numeric features may be missing, as in GRU-D. A row then has 3F columns, ``[value (F),
        mask (F), gap (F)]``: the value, or where the mask is 0 the last observed one; the mask, 1 where the
        feature was observed; and the time that has passed since it was observed before.
        :func:`grulearn.equations.network_inputs` states what is made of them.

    Raises
    ------
    ValueError, TypeError
        If a size is not an integer, there is no feature at all, or `decay` has no numeric feature to act on.

    Examples
    --------
    >>> from grulearn.spec import InputSpec
    >>> spec = InputSpec(4, categorical=[(100, 8), (3, 2)], decay=True)
    >>> spec.row_width, spec.cell_inputs
    (12, 18)
    """

    n_features: int
    categorical: tuple[tuple[int, int], ...] = field(default=(), kw_only=True)
    decay: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _check_tables(self)
        _check_flag(self, "decay")
        _check_size(self, "n_features", least=0 if self.categorical and not self.decay else 1)

    @property
    def row_width(self) -> int:
        """Columns of a row: F, or 3F with decay."""
        return 3 * self.n_features if self.decay else self.n_features

    @property
    def cell_inputs(self) -> int:
        """Width of what layer 0 reads: F, with decay also the F of the mask, and the categorical vectors."""
        return self.n_features * (2 if self.decay else 1) + sum(size for _, size in self.categorical)


@dataclass(frozen=True)
class CellSpec:
    """The stack of gated recurrent units.

    Parameters
    ----------
    hidden_size : int
        Number of hidden units H of each layer and direction; at least 1.
    num_layers : int, default=1
        Number of layers L; each reads the outputs of the one before.
    bidirectional : bool, default=False
        Whether every layer also reads the sequence from its end; D is then 2.
    reset_after : bool, default=True
        Whether the reset gate scales the recurrent product ``U_n h + c_n`` (PyTorch's form) rather than
        the state that enters it (Cho et al. 2014). See :mod:`grulearn.equations`.
    bias : bool, default=True
        Whether the units have the biases `b` and `c`.
    zoneout : float, default=0.0
        The probability with which a step leaves a unit's state as it was, drawn in training; a prediction
        takes the expectation. At least 0 and below 1. See :class:`grulearn.equations.Masks`.
    layer_norm : bool, default=False
        Whether each gate's products with W and U are normalised, and have learned gains; only with
        `reset_after`. See :func:`grulearn.equations.normalise`.

    Raises
    ------
    ValueError, TypeError
        If a size is not an integer of at least 1, an option is not a bool, or `zoneout` not within [0, 1).

    Examples
    --------
    >>> from grulearn.spec import CellSpec
    >>> CellSpec(16, bidirectional=True).output_size
    32
    """

    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    reset_after: bool = True
    bias: bool = True
    zoneout: float = 0.0
    layer_norm: bool = False

    def __post_init__(self) -> None:
        for name in ("hidden_size", "num_layers"):
            _check_size(self, name)
        _check_rate(self, "zoneout")
        for name in ("bidirectional", "reset_after", "bias", "layer_norm"):
            _check_flag(self, name)
        if self.layer_norm and not self.reset_after:
            raise ValueError(
                "CellSpec: layer_norm needs reset_after=True: the products with U are normalised before the "
                "reset gate acts on them"
            )

    @property
    def n_directions(self) -> int:
        """Number of directions D in which each layer reads: 1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Width D*H of what a layer hands to the next layer, or to the head."""
        return self.n_directions * self.hidden_size


@dataclass(frozen=True)
class PoolSpec:
    """How the outputs of a sequence's steps become the one vector that the head reads.

    Parameters
    ----------
    kind : {"last", "mean", "max", "attention"}, default="last"
        - "last" concatenates the final states of the last layer's directions: the forward one after the
          last step, the reverse one after it has read back to the first.
        - "mean" and "max" are those of each unit over the sequence's steps.
        - "attention" is a mean with weights that a learned query gives.

        :mod:`grulearn.equations` states them. A sequence of no step has zeros.

    Raises
    ------
    ValueError
        If `kind` is not one of the above.
    """

    kind: str = "last"

    def __post_init__(self) -> None:
        _check_choice(self, "kind", POOL_KINDS)


@dataclass(frozen=True)
class HeadSpec:
    """The linear layer that gives the outputs, what it reads, and the loss that trains it.

    Parameters
    ----------
    n_outputs : int
        Number of outputs O; at least 1. It is the number of targets times `outputs_per_target`, or the number
        of classes, at least 2, for "cross_entropy".
    loss : str, default="squared_error"
        What the outputs stand for and how far they are from a target: "squared_error", "absolute_error",
        "huber", "pinball", "poisson", "gaussian", "cross_entropy" or "binary_cross_entropy".
        :mod:`grulearn.equations` states them. The training loss is the mean over samples and targets.
    target : {"value", "sequence"}, default="value"
        Whether there is one target for each sequence, for which the head reads the pooled state, or one for
        each step, for which it reads the last layer's state there.
    delta : float, optional
        For "huber" only: the residual at which it becomes linear; 1 if not given.
    quantiles : sequence of float, optional
        For "pinball" only, and needed there: the levels, rising, between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        If `n_outputs` is not an integer of at least 1 that fits the loss, or another field has a value that
        is not one of the above.

    Examples
    --------
    >>> from grulearn.spec import HeadSpec
    >>> head = HeadSpec(6, loss="pinball", quantiles=[0.1, 0.5, 0.9])
    >>> head.outputs_per_target, head.n_targets
    (3, 2)
    """

    n_outputs: int
    loss: str = "squared_error"
    target: str = "value"
    delta: float | None = None
    quantiles: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_size(self, "n_outputs")
        _check_choice(self, "loss", LOSSES)
        _check_choice(self, "target", TARGETS)
        _check_delta(self)
        _check_quantiles(self)
        if self.loss == "cross_entropy" and self.n_outputs < 2:
            raise ValueError("HeadSpec: n_outputs must be at least 2 classes for cross_entropy, got 1")
        if self.n_outputs % self.outputs_per_target:
            raise ValueError(
                f"HeadSpec: n_outputs must be a multiple of {self.outputs_per_target}, the outputs that "
                f"{self.loss} has for each target; got {self.n_outputs}"
            )

    @property
    def outputs_per_target(self) -> int:
        """How many outputs belong to one target; the classes of "cross_entropy" all belong to one."""
        if self.quantiles is not None:
            return len(self.quantiles)
        return {"gaussian": 2, "cross_entropy": self.n_outputs}.get(self.loss, 1)

    @property
    def n_targets(self) -> int:
        """Number of targets K."""
        return self.n_outputs // self.outputs_per_target


@dataclass(frozen=True)
class NetworkSpec:
    """A whole network: input, cell, pooling and head, and the precision it computes in.

    Parameters
    ----------
    input : InputSpec
    cell : CellSpec
    head : HeadSpec
    pool : PoolSpec, default=PoolSpec()
    dtype : {"float32", "float64"}, default="float32"
        What the weights and all that is computed from them are.

    Raises
    ------
    TypeError
        If a part is not of its class.
    ValueError
        If `dtype` is not one of the above, a head with ``target="sequence"`` comes with a pooling, or an
        input with decay with a bidirectional cell.

    Examples
    --------
    >>> from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
    >>> spec = NetworkSpec(InputSpec(8), CellSpec(32), head=HeadSpec(1))
    >>> NetworkSpec.from_dict(spec.to_dict()) == spec
    True
    """

    input: InputSpec
    cell: CellSpec
    pool: PoolSpec = field(default_factory=PoolSpec)
    head: HeadSpec = field(kw_only=True)
    dtype: str = field(default="float32", kw_only=True)

    def __post_init__(self) -> None:
        for name, part in _PARTS.items():
            if not isinstance(getattr(self, name), part):
                raise TypeError(
                    f"NetworkSpec: {name} must be {part.__name__}, got {type(getattr(self, name)).__name__}"
                )
        _check_choice(self, "dtype", DTYPES)
        if self.head.target == "sequence" and self.pool.kind != "last":
            raise ValueError(
                "NetworkSpec: with a target for each step no state is pooled, so that pool.kind must be "
                f"'last', its default; got {self.pool.kind!r}"
            )
        if self.input.decay and self.cell.bidirectional:
            raise ValueError(
                "NetworkSpec: decay needs bidirectional=False: a gap is the time since an earlier step, and "
                "a direction that reads from the end has not seen that"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as nested dicts of plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a specification from what `to_dict` returned, now or in an older version.

        Parameters
        ----------
        data : mapping
            A missing field takes its default, the old behaviour.

        Returns
        -------
        NetworkSpec

        Raises
        ------
        ValueError
            If a field has no default and is missing, has a value that is not allowed, or is not known
            here, which happens with a file that a newer grulearn wrote.
        TypeError
            If a part is not a mapping or a value has the wrong type.
        """
        _check_fields(cls, data, "network")
        parts = {
            name: _part_from_dict(_PARTS[name], value, name) if name in _PARTS else value
            for name, value in data.items()
        }
        return cls(**parts)


_PARTS: dict[str, type] = {"input": InputSpec, "cell": CellSpec, "pool": PoolSpec, "head": HeadSpec}


def _part_from_dict(part: type, data: Any, place: str) -> Any:
    _check_fields(part, data, place)
    return part(**data)


def _check_fields(cls: type, data: Any, place: str) -> None:
    """Check that `data` is a mapping with every field of `cls` that has no default, and no other field."""
    if not isinstance(data, Mapping):
        raise TypeError(f"specification, part {place!r}: expected a mapping, got {type(data).__name__}")
    known = {f.name: f.default is not MISSING or f.default_factory is not MISSING for f in fields(cls)}
    unknown = sorted(str(name) for name in data if name not in known)
    if unknown:
        raise ValueError(
            f"specification, part {place!r}: unknown field {', '.join(unknown)}. "
            "It was written by a newer grulearn; update grulearn to read it"
        )
    missing = [name for name, has_default in known.items() if not has_default and name not in data]
    if missing:
        raise ValueError(f"specification, part {place!r}: field {', '.join(missing)} is missing")


def _check_delta(spec: HeadSpec) -> None:
    if spec.loss != "huber":
        if spec.delta is not None:
            raise ValueError(f"HeadSpec: delta belongs to the loss huber; this is {spec.loss}")
        return
    delta = 1.0 if spec.delta is None else _as_float(spec.delta, "delta must be a number")
    if not 0.0 < delta < math.inf:
        raise ValueError(f"HeadSpec: delta must be positive and finite, got {delta}")
    object.__setattr__(spec, "delta", delta)


def _check_quantiles(spec: HeadSpec) -> None:
    if (spec.quantiles is not None) != (spec.loss == "pinball"):
        raise ValueError(
            "HeadSpec: the loss pinball needs quantiles, such as [0.1, 0.5, 0.9]"
            if spec.quantiles is None
            else f"HeadSpec: quantiles belong to the loss pinball; this is {spec.loss}"
        )
    if spec.quantiles is None:
        return
    try:
        given = tuple(spec.quantiles)
    except TypeError:
        raise TypeError(f"HeadSpec: quantiles must be a sequence, got {spec.quantiles!r}") from None
    levels = tuple(_as_float(level, "quantiles must be a sequence of numbers") for level in given)
    if not levels or not all(a < b for a, b in itertools.pairwise((0.0, *levels, 1.0))):
        raise ValueError(f"HeadSpec: quantiles must rise and lie between 0 and 1, got {list(levels)}")
    object.__setattr__(spec, "quantiles", levels)


def _as_float(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):  # NumPy's scalars are registered as Real
        raise TypeError(f"HeadSpec: {what}, got {value!r}")
    return float(value)


def _check_tables(spec: InputSpec) -> None:
    try:
        given = [tuple(table) for table in spec.categorical]
    except TypeError:
        given = [()]
    if any(len(table) != 2 for table in given):
        raise TypeError(
            f"InputSpec: categorical must be a sequence of pairs (n_codes, size), got {spec.categorical!r}"
        )
    tables = tuple(
        (
            _as_size(spec, f"n_codes of categorical feature {i}", n),
            _as_size(spec, f"size of categorical feature {i}", k),
        )
        for i, (n, k) in enumerate(given)
    )
    object.__setattr__(spec, "categorical", tables)


def _check_size(spec: Any, name: str, least: int = 1) -> None:
    object.__setattr__(spec, name, _as_size(spec, name, getattr(spec, name), least))


def _as_size(spec: Any, name: str, value: Any, least: int = 1) -> int:
    owner = type(spec).__name__
    try:
        # operator.index takes NumPy's integers and refuses floats. Nobody means True as a size.
        size = operator.index(value) if not isinstance(value, bool) else None
    except TypeError:
        size = None
    if size is None:
        raise TypeError(f"{owner}: {name} must be an integer, got {value!r}")
    if size < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {size}")
    return size


def _check_rate(spec: Any, name: str) -> None:
    value = getattr(spec, name)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{type(spec).__name__}: {name} must be a number, got {value!r}")
    rate = float(value)
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"{type(spec).__name__}: {name} must be at least 0 and below 1, got {rate}")
    object.__setattr__(spec, name, rate)


def _check_flag(spec: Any, name: str) -> None:
    value = getattr(spec, name)
    # By name, since NumPy's bool (np.bool in 2.x, np.bool_ before) is no subclass of Python's.
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{type(spec).__name__}: {name} must be True or False, got {value!r}")
    object.__setattr__(spec, name, bool(value))


def _check_choice(spec: Any, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(spec, name)
    # np.dtype("float64") equals "float64" and is not it.
    if not isinstance(value, str) or value not in choices:
        expected = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{type(spec).__name__}: {name} must be one of {expected}; got {value!r}")
