"""
The native core: GRU networks, their gradients and their training, in float32 and float64.
"""

from collections.abc import Sequence
from typing import Annotated, Any, overload

import numpy
from numpy.typing import NDArray


def instruction_sets() -> list[str]:
    """
    Instruction sets with kernels that this machine supports, the best first.
    """

def instruction_set() -> str:
    """
    The instruction set in use: the best one, or the one that the environment variable GRULEARN_ISA names.
    """

def available_cores() -> int:
    """Cores this process may use: CPU affinity and the cgroup's quota."""

def fma_peak(n_threads: int, seconds: float, isa: str = '', dtype: str = 'float32') -> float:
    """
    Floating-point operations a second (2 for each multiply-add and lane) that n_threads threads reach together:
    the best of slices of some 5 ms within the given time.
    """

@overload
def decode(outputs: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], *, loss: str, quantiles: Sequence[float] = [], mean: Sequence[float] = [], scale: Sequence[float] = [], isa: str = '') -> Annotated[NDArray[numpy.float64], dict(shape=(None, None))]: ...

@overload
def decode(outputs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], *, loss: str, quantiles: Sequence[float] = [], mean: Sequence[float] = [], scale: Sequence[float] = [], isa: str = '') -> Annotated[NDArray[numpy.float64], dict(shape=(None, None))]:
    """
    What the outputs (N, O) of a head stand for, in the user's units, (N, O) in float64.

    mean and scale (K,) are those of the targets: a value becomes itself * scale + mean, the standard
    deviations of gaussian themselves * scale. Each row's bits are those it has alone.
    """

def draw_masks(kind: str, index: int, sequences: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], steps: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, n_units: int, *, probability: float, seed: int, epoch: int, isa: str = '') -> Annotated[NDArray[numpy.float32], dict(shape=(None, None, None))]:
    """
    The random masks of a Trainer, as float32 (n_sequences, n_steps, n_units): 1 with the given probability.

    kind: "layer" (dropout of the states of layer `index`, read by the next one; D * H units), "head"
    (dropout before the head), "recurrent" (dropout of what U multiplies in cell `index` = layer * D +
    direction) or "zoneout" (of that cell). sequences: numbers among the trainer's data; steps: counted from
    the beginning of a sequence, or None where one mask is for all: "recurrent", and "head" without
    target="sequence".
    """

class Network:
    """
    A stack of GRU layers with an optional linear head.

    Parameters are one flat vector in the order of PyTorch's state_dict: weight_ih, weight_hh, bias_ih
    and bias_hh of each layer and direction, then the input's, the query of pool="attention", and the head's
    weight and bias. All arrays are float32.

    With categorical=[(n_codes, size), ...] each row has as many int32 codes as that has pairs: `codes`
    (R, C), beside the numeric `rows`. With decay=True a row is [value (F), mask (F), gap (F)].
    zoneout: the part of each state that a step leaves as it was; a Trainer draws which units those are.
    With layer_norm the gains gain_ih and gain_hh (3H,) of each layer and direction follow its biases.
    """

    def __init__(self, input_size: int, hidden_size: int, *, num_layers: int = 1, bidirectional: bool = False, reset_after: bool = True, bias: bool = True, output_size: int = 0, pool: str = 'last', target: str = 'value', categorical: Sequence[tuple[int, int]] = [], decay: bool = False, zoneout: float = 0.0, layer_norm: bool = False, isa: str = '') -> None: ...

    @property
    def n_parameters(self) -> int:
        """Length of the flat parameter vector."""

    def parameters(self) -> Annotated[NDArray[numpy.float32], dict(shape=(None,))]:
        """A copy of all parameters, (n_parameters,)."""

    def set_parameters(self, values: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None:
        """Sets all parameters, (n_parameters,)."""

    def forward(self, rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], h0: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None, n_jobs: int, codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> tuple[Annotated[NDArray[numpy.float32], dict(shape=(None, None))], Annotated[NDArray[numpy.float32], dict(shape=(None, None, None))]]:
        """
        outputs (sum of lengths, D * H), sequence after sequence, and h_n (L * D, N, H).
        """

    def step(self, x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], h: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        One step of N rows: x (N, F), h and out (L, N, H); out may be h. Allocates nothing.
        """

    def plain_step(self, x: object | None, h: object | None, out: object | None) -> object:
        """
        `step` on arrays of exactly the right kind: x (F,) or (N, F), h and out (L, H) or (L, N, H), or None.
        Returns out, or a new array for None; returns None, having done nothing, if an array needs converting.
        """

    def predict(self, rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], n_jobs: int, codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None))]:
        """
        The head's outputs, (N, O); with target="sequence" (sum of lengths, O), sequence after sequence.
        """

class Network64:
    """`Network` in float64."""

    def __init__(self, input_size: int, hidden_size: int, *, num_layers: int = 1, bidirectional: bool = False, reset_after: bool = True, bias: bool = True, output_size: int = 0, pool: str = 'last', target: str = 'value', categorical: Sequence[tuple[int, int]] = [], decay: bool = False, zoneout: float = 0.0, layer_norm: bool = False, isa: str = '') -> None: ...

    @property
    def n_parameters(self) -> int:
        """Length of the flat parameter vector."""

    def parameters(self) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """A copy of all parameters, (n_parameters,)."""

    def set_parameters(self, values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None:
        """Sets all parameters, (n_parameters,)."""

    def forward(self, rows: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], h0: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None, n_jobs: int, codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> tuple[Annotated[NDArray[numpy.float64], dict(shape=(None, None))], Annotated[NDArray[numpy.float64], dict(shape=(None, None, None))]]:
        """
        outputs (sum of lengths, D * H), sequence after sequence, and h_n (L * D, N, H).
        """

    def step(self, x: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], h: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu')], codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        One step of N rows: x (N, F), h and out (L, N, H); out may be h. Allocates nothing.
        """

    def plain_step(self, x: object | None, h: object | None, out: object | None) -> object:
        """
        `step` on arrays of exactly the right kind: x (F,) or (N, F), h and out (L, H) or (L, N, H), or None.
        Returns out, or a new array for None; returns None, having done nothing, if an array needs converting.
        """

    def predict(self, rows: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], n_jobs: int, codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> Annotated[NDArray[numpy.float64], dict(shape=(None, None))]:
        """
        The head's outputs, (N, O); with target="sequence" (sum of lengths, O), sequence after sequence.
        """

class Stream:
    """
    Streams of a network with a head, each advanced step by step.

    mean, scale and fill (F,) are those of the features, missing and gap_time say what is made of them;
    target_mean and target_scale (K,) as in `decode`. The network's parameters must not change.
    """

    def __init__(self, network: Network, n_streams: int, *, mean: Sequence[float], scale: Sequence[float], fill: Sequence[float], missing: str = 'error', gap_time: str = 'none', loss: str, quantiles: Sequence[float] = [], target_mean: Sequence[float] = [], target_scale: Sequence[float] = [], n_jobs: int = 1) -> None: ...

    def step(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        One step: x (F,) for the only stream or the one with number `streams`, or (n, F) for all or those whose
        different numbers `streams` (n,) has. codes, int32 (C,) or (n, C), of the network's tables. times, int64
        or float64, () or (n,), if gap_time is "given". Returns a prediction for each target; float64, (n, K), (K,), (n,) or a float.
        None, and nothing has changed, if an array needs converting or something is wrong.
        """

    def step_values(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        `step` that returns everything that was decoded: (n, O), (O,), (n,) or a float.
        """

    def step_probabilities(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        `step` that returns the probability of each class, (n, C) or (C,): of a single output p, 1 - p and p.
        """

    def step_decisions(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        `step` that returns the likeliest class, int64 (n,) or an int, or for binary_cross_entropy 1 where an
        output is positive, else 0: (n, K), (K,), (n,) or an int.
        """

    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Puts streams (None: all) back to their beginning."""

    def n_steps(self) -> Any:
        """How many steps each stream has had, (n_streams,)."""

    def set_clock(self, integers: bool, unit: float) -> None:
        """
        Says what times are from now on, int64 or float64, and how many of them make a gap of 1.
        """

    def state(self) -> dict[str, Any]:
        """Copies of the arrays that are carried from one step to the next."""

    def set_state(self, arrays: dict[str, Any]) -> None:
        """Goes on from arrays of the dtypes and shapes of `state`."""

class Stream64:
    """`Stream` of a network in float64."""

    def __init__(self, network: Network64, n_streams: int, *, mean: Sequence[float], scale: Sequence[float], fill: Sequence[float], missing: str = 'error', gap_time: str = 'none', loss: str, quantiles: Sequence[float] = [], target_mean: Sequence[float] = [], target_scale: Sequence[float] = [], n_jobs: int = 1) -> None: ...

    def step(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        One step: x (F,) for the only stream or the one with number `streams`, or (n, F) for all or those whose
        different numbers `streams` (n,) has. codes, int32 (C,) or (n, C), of the network's tables. times, int64
        or float64, () or (n,), if gap_time is "given". Returns a prediction for each target; float64, (n, K), (K,), (n,) or a float.
        None, and nothing has changed, if an array needs converting or something is wrong.
        """

    def step_values(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        `step` that returns everything that was decoded: (n, O), (O,), (n,) or a float.
        """

    def step_probabilities(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        `step` that returns the probability of each class, (n, C) or (C,): of a single output p, 1 - p and p.
        """

    def step_decisions(self, x: object | None, streams: object | None, out: object | None, codes: object | None = None, times: object | None = None) -> object:
        """
        `step` that returns the likeliest class, int64 (n,) or an int, or for binary_cross_entropy 1 where an
        output is positive, else 0: (n, K), (K,), (n,) or an int.
        """

    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Puts streams (None: all) back to their beginning."""

    def n_steps(self) -> Any:
        """How many steps each stream has had, (n_streams,)."""

    def set_clock(self, integers: bool, unit: float) -> None:
        """
        Says what times are from now on, int64 or float64, and how many of them make a gap of 1.
        """

    def state(self) -> dict[str, Any]:
        """Copies of the arrays that are carried from one step to the next."""

    def set_state(self, arrays: dict[str, Any]) -> None:
        """Goes on from arrays of the dtypes and shapes of `state`."""

class Tape:
    """A forward pass that can be run backward once."""

    @property
    def outputs(self) -> object:
        """(sum of lengths, D * H)"""

    @property
    def h_n(self) -> object:
        """(L * D, N, H)"""

    def backward(self, d_outputs: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, d_h_n: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None) -> tuple[Annotated[NDArray[numpy.float32], dict(shape=(None,))], Annotated[NDArray[numpy.float32], dict(shape=(None, None))], Annotated[NDArray[numpy.float32], dict(shape=(None, None, None))]]:
        """
        Gradients (d_parameters, d_rows, d_h0) from those of outputs and h_n; None counts as zeros.
        """

@overload
def record(network: Network, rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], h0: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None, n_jobs: int, *, checkpoint_steps: int = 0) -> Tape: ...

@overload
def record(network: Network64, rows: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], h0: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None, n_jobs: int, *, checkpoint_steps: int = 0) -> Tape64:
    """
    Runs `network` forward and keeps what the backward pass needs. Its parameters and the arrays must not
    change before that. checkpoint_steps: hold the gates of so many steps at a time, and make them again in
    the backward pass; 0 keeps all.
    """

class Tape64:
    """`Tape` in float64."""

    @property
    def outputs(self) -> object:
        """(sum of lengths, D * H)"""

    @property
    def h_n(self) -> object:
        """(L * D, N, H)"""

    def backward(self, d_outputs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, d_h_n: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None) -> tuple[Annotated[NDArray[numpy.float64], dict(shape=(None,))], Annotated[NDArray[numpy.float64], dict(shape=(None, None))], Annotated[NDArray[numpy.float64], dict(shape=(None, None, None))]]:
        """
        Gradients (d_parameters, d_rows, d_h0) from those of outputs and h_n; None counts as zeros.
        """

class Trainer:
    """
    Trains a network with a head by Adam on the mean loss of fixed data.

    rows (R, F), starts and lengths (N,). targets (N, K), or of a network with target="sequence" (M, K), where
    those of a sequence's steps begin at its target_starts (N,) (None: at its starts) and NaN does not count.
    K is the number of outputs, divided by 2 for gaussian and by the number of quantiles for pinball; for
    cross_entropy targets are int64 class numbers (N,) or (M,), where -1 does not count with
    target="sequence". sample_weight (N,), step_weight (M,). weight_decay is decoupled and leaves biases
    and the input's weights alone; clip_norm bounds the global norm of the gradient, 0: no bound.
    bptt: gradients pass through so many steps at most, 0: all; longer sequences are taken in segments, with
    the state carried from each to the next.
    dropout: the rate between layers and before the head; recurrent_dropout: that of the states that U multiplies,
    one mask for all steps of a sequence. Masks depend on the seed, the epoch, and a sequence's number and step
    alone; draw_masks gives them. label_smoothing: for cross_entropy and binary_cross_entropy. average_decay: of the
    moving average of the parameters; 0 keeps none.
    """

    def __init__(self, network: Network, rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], targets: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], *, batch_size: int, n_jobs: int, loss: str = 'squared_error', delta: float = 1.0, quantiles: Sequence[float] = [], target_starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, sample_weight: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, step_weight: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-08, weight_decay: float = 0.0, clip_norm: float = 0.0, checkpoint_steps: int = 0, codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None, bptt: int = 0, dropout: float = 0.0, recurrent_dropout: float = 0.0, seed: int = 0, label_smoothing: float = 0.0, average_decay: float = 0.0) -> None: ...

    def run_epoch(self, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, learning_rate: float, seconds: float = float('inf')) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """
        One step for every batch of `order` (None: the sequences as they stand), with bptt and
        target="sequence" for every segment of its batches. Returns the mean loss before each step; 0 where
        nothing counts. After so many seconds no step but the first begins, and those that were made are
        returned. Ctrl-C raises KeyboardInterrupt between two batches or segments.
        """

    @property
    def batch_weights(self) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """
        The weights that the losses of the latest run_epoch are means over, (n_updates,).
        """

    def accumulate(self, batch: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> tuple[float, float]:
        """
        Adds the gradient of the weighted sum of a batch's losses; returns that sum and that of the weights.
        """

    def gradients(self) -> Annotated[NDArray[numpy.float32], dict(shape=(None,))]:
        """The accumulated gradient, (n_parameters,)."""

    def apply(self, learning_rate: float, weight_sum: float, gradients: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        Divides the gradient by weight_sum, clips it, takes an Adam step and clears what was accumulated.
        `gradients` (n_parameters,) replaces the accumulated ones, for sums over several machines.
        """

    def optimizer_state(self) -> tuple[Annotated[NDArray[numpy.float32], dict(shape=(None,))], Annotated[NDArray[numpy.float32], dict(shape=(None,))], int]:
        """
        Adam's first and second moments, (n_parameters,) each, and its number of steps: copies.
        """

    def averaged_parameters(self) -> Annotated[NDArray[numpy.float32], dict(shape=(None,))]:
        """
        The moving average of the parameters after each step, (n_parameters,), corrected for its beginning at 0;
        before the first step the parameters.
        """

    def average_state(self) -> tuple[Annotated[NDArray[numpy.float32], dict(shape=(None,))], int]:
        """
        That average as it is kept, uncorrected, and its number of steps: copies.
        """

    def set_average_state(self, average: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], n_steps: int) -> None:
        """
        Goes on from what average_state returned, here or of another trainer of such a network.
        """

    @property
    def epoch(self) -> int:
        """
        The number of the epoch, which random masks depend on; run_epoch counts it up at its end.
        """

    @epoch.setter
    def epoch(self, arg: int, /) -> None: ...

    def set_optimizer_state(self, first_moment: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], second_moment: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], n_steps: int) -> None:
        """
        Goes on from what optimizer_state returned, here or of another trainer of such a network.
        """

class Trainer64:
    """`Trainer` in float64."""

    def __init__(self, network: Network64, rows: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lengths: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], targets: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)] | Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], *, batch_size: int, n_jobs: int, loss: str = 'squared_error', delta: float = 1.0, quantiles: Sequence[float] = [], target_starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, sample_weight: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, step_weight: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-08, weight_decay: float = 0.0, clip_norm: float = 0.0, checkpoint_steps: int = 0, codes: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None, bptt: int = 0, dropout: float = 0.0, recurrent_dropout: float = 0.0, seed: int = 0, label_smoothing: float = 0.0, average_decay: float = 0.0) -> None: ...

    def run_epoch(self, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, learning_rate: float, seconds: float = float('inf')) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """
        One step for every batch of `order` (None: the sequences as they stand), with bptt and
        target="sequence" for every segment of its batches. Returns the mean loss before each step; 0 where
        nothing counts. After so many seconds no step but the first begins, and those that were made are
        returned. Ctrl-C raises KeyboardInterrupt between two batches or segments.
        """

    @property
    def batch_weights(self) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """
        The weights that the losses of the latest run_epoch are means over, (n_updates,).
        """

    def accumulate(self, batch: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> tuple[float, float]:
        """
        Adds the gradient of the weighted sum of a batch's losses; returns that sum and that of the weights.
        """

    def gradients(self) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """The accumulated gradient, (n_parameters,)."""

    def apply(self, learning_rate: float, weight_sum: float, gradients: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        Divides the gradient by weight_sum, clips it, takes an Adam step and clears what was accumulated.
        `gradients` (n_parameters,) replaces the accumulated ones, for sums over several machines.
        """

    def optimizer_state(self) -> tuple[Annotated[NDArray[numpy.float64], dict(shape=(None,))], Annotated[NDArray[numpy.float64], dict(shape=(None,))], int]:
        """
        Adam's first and second moments, (n_parameters,) each, and its number of steps: copies.
        """

    def averaged_parameters(self) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
        """
        The moving average of the parameters after each step, (n_parameters,), corrected for its beginning at 0;
        before the first step the parameters.
        """

    def average_state(self) -> tuple[Annotated[NDArray[numpy.float64], dict(shape=(None,))], int]:
        """
        That average as it is kept, uncorrected, and its number of steps: copies.
        """

    def set_average_state(self, average: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], n_steps: int) -> None:
        """
        Goes on from what average_state returned, here or of another trainer of such a network.
        """

    @property
    def epoch(self) -> int:
        """
        The number of the epoch, which random masks depend on; run_epoch counts it up at its end.
        """

    @epoch.setter
    def epoch(self, arg: int, /) -> None: ...

    def set_optimizer_state(self, first_moment: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], second_moment: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], n_steps: int) -> None:
        """
        Goes on from what optimizer_state returned, here or of another trainer of such a network.
        """
