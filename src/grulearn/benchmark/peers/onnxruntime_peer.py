"""The GRU operator of ONNX Runtime, in a model of that one node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.benchmark.cases import Case
from grulearn.benchmark.peers.protocol import Stream

__all__ = ["OnnxRuntimeLibrary"]

_OPSET, _IR_VERSION = 17, 9  # old enough for any ONNX Runtime since 1.12


class OnnxRuntimeLibrary:
    """ONNX Runtime on the CPU. It has no training."""

    key = "onnxruntime"
    label = "ONNX Runtime"

    def __init__(self, threads: int) -> None:
        import onnxruntime

        self._threads = threads
        self.version = str(onnxruntime.__version__)
        self.details = (
            "its MLAS chooses instructions by itself; inter-op threads 1, intra-op spinning on as by default"
        )

    def model(self, case: Case) -> OnnxRuntimeModel:
        """Build a case."""
        return OnnxRuntimeModel(case, self._threads)

    def stream(self, case: Case) -> Stream:
        """Build the network for single steps: ``session.run`` with T = 1."""
        run = _session(case, self._threads, with_state=True).run
        wanted = ["Y_h"]

        def step(x: Any, h: Any, _: Any) -> Any:
            return run(wanted, {"x": x, "h": h})[0]

        return Stream(
            step=step,
            inputs=[np.ascontiguousarray(x[np.newaxis, np.newaxis]) for x in case.inputs[0]],
            state=np.zeros((1, 1, case.hidden), np.float32),
            as_array=np.ravel,
        )


class OnnxRuntimeModel:
    """A case. The operator reads (T, N, F), so the data are kept in that order."""

    training_step = None

    def __init__(self, case: Case, threads: int) -> None:
        self._run = _session(case, threads, with_state=False).run
        self._feed = {"x": np.ascontiguousarray(case.inputs.swapaxes(0, 1))}

    def inference(self) -> Any:
        """Run the sequences."""
        return self._run(None, self._feed)

    def outputs(self) -> NDArray[np.float32]:
        """Return the states after each step, shape (N, T, H)."""
        outputs: NDArray[np.float32] = self.inference()[0][:, 0].swapaxes(0, 1)
        return outputs


def _session(case: Case, threads: int, *, with_state: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        _model_bytes(case, with_state=with_state), options, providers=["CPUExecutionProvider"]
    )


def _model_bytes(case: Case, *, with_state: bool) -> bytes:
    """Serialise a model of one GRU node, with the initial state as an input if `with_state`."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "W": _to_onnx_order(case.weights["weight_ih_l0"])[np.newaxis],
        "R": _to_onnx_order(case.weights["weight_hh_l0"])[np.newaxis],
        "B": np.concatenate([_to_onnx_order(case.weights[f"bias_{of}_l0"]) for of in ("ih", "hh")])[
            np.newaxis
        ],
    }
    node = helper.make_node(
        "GRU",
        ["x", *weights, *(["", "h"] if with_state else [])],
        ["Y", "Y_h"],
        hidden_size=case.hidden,
        linear_before_reset=int(case.reset_after),
    )
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "N", case.features])]
    if with_state:
        inputs.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, "N", case.hidden]))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("Y", "Y_h")]
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph([node], "gru", inputs, outputs, initializers)
    opset = helper.make_opsetid("", _OPSET)
    model: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION).SerializeToString()
    return model


def _to_onnx_order(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder gates stacked as r, z, n to ONNX's z, r, n."""
    r, z, n = np.split(value, 3)
    return np.concatenate([z, r, n])
