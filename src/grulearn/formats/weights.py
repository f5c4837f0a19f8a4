"""Names, shapes and order of the weights: PyTorch's, and the flat vector of the native core.

This is the only place that knows them. For layer `l` and direction suffix `d` ("" or "_reverse"), with
the gates stacked as r, z, n:

==========================  ===========================================
``weight_ih_l{l}{d}``       (3H, I) for layer 0, where I is the input's `cell_inputs` (F, if
                            nothing else is said), (3H, D*H) above: W
``weight_hh_l{l}{d}``       (3H, H): U
``bias_ih_l{l}{d}``         (3H,): b; absent with ``bias=False``
``bias_hh_l{l}{d}``         (3H,): c; absent with ``bias=False``
``gain_ih_l{l}{d}``         (3H,): g, and ``gain_hh_l{l}{d}`` (3H,): k; with ``layer_norm=True``
``input.embedding_{c}``     (n_codes, size): a vector for each code of categorical feature c
``decay.input_weight``      (F,), and ``decay.input_bias`` (F,): how fast a value that was not
                            observed again fades; only in an input with decay, as the next
``decay.hidden_weight``     (H, F), and ``decay.hidden_bias`` (H,): how fast the state does
``pool.query``              (D*H,): the query of "attention"; absent with another pooling
``head.weight``             (O, D*H)
``head.bias``               (O,)
==========================  ===========================================

The flat vector joins them in this order: layer by layer, in each the forward direction first, then those of
the input, then the query, then the head.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.spec import CellSpec, NetworkSpec

__all__ = [
    "cell_parameter_shapes",
    "cell_weights_of",
    "flatten",
    "infer_cell",
    "parameter_shapes",
    "unflatten",
]

Shapes = Mapping[str, tuple[int, ...]]

N_GATES = 3  # r, z, n
HEAD_NAMES = ("head.weight", "head.bias")
QUERY_NAME = "pool.query"
INPUT_PREFIXES = ("input.embedding_", "decay.")
_CELL_NAME = re.compile(r"(?:weight|bias)_(?:ih|hh)_l(\d+)(?:_reverse)?")


def cell_parameter_shapes(n_features: int, cell: CellSpec) -> dict[str, tuple[int, ...]]:
    """Give the names and shapes of the recurrent weights, in the canonical order.

    Parameters
    ----------
    n_features : int
        Number of inputs of layer 0.
    cell : CellSpec

    Returns
    -------
    dict of str to tuple of int

    Examples
    --------
    >>> from grulearn.spec import CellSpec
    >>> from grulearn.formats.weights import cell_parameter_shapes
    >>> cell_parameter_shapes(5, CellSpec(4, bias=False))
    {'weight_ih_l0': (12, 5), 'weight_hh_l0': (12, 4)}
    """
    rows = N_GATES * cell.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(cell.num_layers):
        width = n_features if layer == 0 else cell.output_size
        for suffix in ("", "_reverse")[: cell.n_directions]:
            place = f"l{layer}{suffix}"
            shapes[f"weight_ih_{place}"] = (rows, width)
            shapes[f"weight_hh_{place}"] = (rows, cell.hidden_size)
            if cell.bias:
                shapes[f"bias_ih_{place}"] = (rows,)
                shapes[f"bias_hh_{place}"] = (rows,)
            if cell.layer_norm:
                shapes[f"gain_ih_{place}"] = shapes[f"gain_hh_{place}"] = (rows,)
    return shapes


def parameter_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """Give the names and shapes of all weights of a network, in the canonical order.

    Parameters
    ----------
    spec : NetworkSpec

    Returns
    -------
    dict of str to tuple of int

    Examples
    --------
    >>> from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
    >>> from grulearn.formats.weights import parameter_shapes
    >>> shapes = parameter_shapes(NetworkSpec(InputSpec(5), CellSpec(4), head=HeadSpec(1)))
    >>> list(shapes)[-2:], shapes["head.weight"]
    (['head.weight', 'head.bias'], (1, 4))
    """
    shapes = cell_parameter_shapes(spec.input.cell_inputs, spec.cell)
    shapes |= {f"input.embedding_{c}": table for c, table in enumerate(spec.input.categorical)}
    if spec.input.decay:
        features, hidden = spec.input.n_features, spec.cell.hidden_size
        shapes["decay.input_weight"] = shapes["decay.input_bias"] = (features,)
        shapes["decay.hidden_weight"] = (hidden, features)
        shapes["decay.hidden_bias"] = (hidden,)
    if spec.pool.kind == "attention":
        shapes[QUERY_NAME] = (spec.cell.output_size,)
    shapes["head.weight"] = (spec.head.n_outputs, spec.cell.output_size)
    shapes["head.bias"] = (spec.head.n_outputs,)
    return shapes


def flatten(weights: Mapping[str, ArrayLike], shapes: Shapes, dtype: str = "float32") -> NDArray[Any]:
    """Join named weights into the flat vector of the native core.

    Parameters
    ----------
    weights : mapping of str to array
        Exactly the names of `shapes`, in any order. Torch tensors are taken as well.
    shapes : mapping of str to tuple of int
        What `parameter_shapes` or `cell_parameter_shapes` returned.
    dtype : {"float32", "float64"}, default="float32"
        What the network computes in; wider weights are rounded to it.

    Returns
    -------
    ndarray of `dtype`, shape (n_parameters,)
        A new array; it shares no memory with `weights`.

    Raises
    ------
    ValueError
        If a weight is missing, unknown or of the wrong shape; the message names it.
    TypeError
        If a weight does not hold real numbers.

    Examples
    --------
    >>> from grulearn.formats.weights import flatten
    >>> flatten({"b": [3.0], "a": [[1.0, 2.0]]}, {"a": (1, 2), "b": (1,)})
    array([1., 2., 3.], dtype=float32)
    """
    _check_names(weights, shapes)
    flat = np.empty(sum(math.prod(shape) for shape in shapes.values()), dtype=dtype)
    offset = 0
    for name, shape in shapes.items():
        values = _as_real_array(name, weights[name])
        if values.shape != shape:
            raise ValueError(f"weights: {name} has shape {values.shape}, expected {shape}")
        flat[offset : offset + values.size] = values.ravel()
        offset += values.size
    return flat


def unflatten(flat: ArrayLike, shapes: Shapes) -> dict[str, NDArray[Any]]:
    """Cut a flat vector into named arrays; the inverse of `flatten`.

    Parameters
    ----------
    flat : array-like, shape (n_parameters,)
    shapes : mapping of str to tuple of int

    Returns
    -------
    dict of str to ndarray
        Copies, of the dtype of `flat`, in the order of `shapes`.

    Raises
    ------
    ValueError
        If `flat` is not one-dimensional or has another length than `shapes` ask for.

    Examples
    --------
    >>> from grulearn.formats.weights import unflatten
    >>> unflatten([1.0, 2.0, 3.0], {"a": (1, 2), "b": (1,)})
    {'a': array([[1., 2.]]), 'b': array([3.])}
    """
    values = np.asarray(flat)
    expected = sum(math.prod(shape) for shape in shapes.values())
    if values.shape != (expected,):
        raise ValueError(f"weights: the flat vector has shape {values.shape}, expected ({expected},)")
    weights: dict[str, NDArray[Any]] = {}
    offset = 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        weights[name] = values[offset : offset + size].reshape(shape).copy()
        offset += size
    return weights


def cell_weights_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recurrent weights among all weights of a network.

    Examples
    --------
    >>> from grulearn.formats.weights import cell_weights_of
    >>> list(cell_weights_of({"weight_hh_l0": 1.0, "pool.query": 2.0, "head.bias": 3.0}))
    ['weight_hh_l0']
    """
    others = (QUERY_NAME, *HEAD_NAMES)
    return {
        name: value
        for name, value in weights.items()
        if name not in others and not name.startswith(INPUT_PREFIXES)
    }


def infer_cell(weights: Mapping[str, ArrayLike], *, reset_after: bool = True) -> tuple[int, CellSpec]:
    """Read the sizes and options of a GRU from the names and shapes of its weights.

    Parameters
    ----------
    weights : mapping of str to array
        Weights in PyTorch's names, such as ``torch.nn.GRU(...).state_dict()``. Those of the input, a head and
        the query of a pooling may be among them.
    reset_after : bool, default=True
        The reset form, which the weights do not show; PyTorch's is True.

    Returns
    -------
    n_features : int
        Number of inputs of layer 0.
    cell : CellSpec

    Raises
    ------
    ValueError
        If the names and shapes are not those of one GRU; the message names the first that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.formats.weights import infer_cell
    >>> n_features, cell = infer_cell({"weight_ih_l0": np.zeros((12, 5)), "weight_hh_l0": np.zeros((12, 4))})
    >>> n_features, cell.hidden_size, cell.bias
    (5, 4, False)
    """
    cell_weights = cell_weights_of(weights)
    n_features, hidden_size = _first_layer_sizes(cell_weights)
    matches = [_CELL_NAME.fullmatch(name) for name in cell_weights]
    cell = CellSpec(
        hidden_size,
        num_layers=1 + max(int(match[1]) for match in matches if match),
        bidirectional=any(name.endswith("_reverse") for name in cell_weights),
        reset_after=reset_after,
        bias=any(name.startswith("bias_") for name in cell_weights),
    )
    shapes = cell_parameter_shapes(n_features, cell)
    _check_names(cell_weights, shapes)
    for name, shape in shapes.items():
        if np.shape(cell_weights[name]) != shape:
            raise ValueError(
                f"weights: {name} has shape {tuple(np.shape(cell_weights[name]))}, expected {shape} "
                f"in a GRU of {n_features} features and hidden size {hidden_size}"
            )
    return n_features, cell


def _first_layer_sizes(weights: Mapping[str, ArrayLike]) -> tuple[int, int]:
    """Return the number of features F and the hidden size H that layer 0 shows."""
    sizes = []
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in weights:
            found = ", ".join(sorted(weights)[:4]) or "nothing"
            raise ValueError(
                f"weights: {name} is missing; expected the state dict of one torch.nn.GRU, "
                f"not of a module around it; the names given begin with {found}"
            )
        shape = np.shape(weights[name])
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"weights: {name} has shape {tuple(shape)}, expected a matrix")
        sizes.append(shape)
    (rows, n_features), (_, hidden_size) = sizes
    if rows != N_GATES * hidden_size:
        raise ValueError(
            f"weights: weight_ih_l0 has {rows} rows and weight_hh_l0 {hidden_size} columns; the three gates "
            f"of a GRU would make {N_GATES * hidden_size} rows (an LSTM has four, a plain RNN one)"
        )
    return n_features, hidden_size


def _check_names(weights: Mapping[str, ArrayLike], shapes: Shapes) -> None:
    missing = [name for name in shapes if name not in weights]
    extra = [str(name) for name in weights if name not in shapes]
    problems = []
    if missing:
        problems.append("missing " + ", ".join(missing))
    if extra:
        problems.append("unknown " + ", ".join(extra))
    if problems:
        raise ValueError(f"weights: {'; '.join(problems)}. Expected exactly {', '.join(shapes)}")


def _as_real_array(name: str, value: Any) -> NDArray[Any]:
    if hasattr(value, "detach"):
        # A torch tensor. NumPy reads none that is on a GPU, in a graph or bfloat16.
        value = value.detach().cpu().double()
    values = np.asarray(value)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"weights: {name} must hold real numbers, got an array of {values.dtype}")
    return values
