#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>

#include <memory>
#include <optional>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "grulearn/training.hpp"

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

// A recorded pass together with what it refers to. In Python the tape keeps the network alive.
template <class Real>
struct BoundTape {
    const Network<Real>& network;
    In<Real, 2> rows;
    Tape<Real> tape;
    std::int64_t n_sequences = 0, total = 0;
    std::optional<In<Real, 3>> h0;
    nb::object outputs, h_n;
    bool used = false;

    BoundTape(const Network<Real>& of, const In<Real, 2>& data, int n_jobs, std::int64_t checkpoint_steps)
        : network(of), rows(data), tape(of, n_jobs, checkpoint_steps) {}
};

template <class Real>
std::unique_ptr<BoundTape<Real>> record(const Network<Real>& network, const In<Real, 2>& rows,
                                        const In<std::int64_t, 1>& starts, const In<std::int64_t, 1>& lengths,
                                        const std::optional<In<Real, 3>>& h0, int n_jobs,
                                        std::int64_t checkpoint_steps) {
    auto bound = std::make_unique<BoundTape<Real>>(network, rows, checked_jobs(n_jobs),
                                                   checked_checkpoint_steps(checkpoint_steps));
    const NetworkConfig& config = network.config();
    const SequencesView<Real> sequences = view(rows, starts, lengths);
    check(sequences, config);
    bound->n_sequences = sequences.size();
    for (const std::int64_t length : sequences.lengths) bound->total += length;
    if (h0) expect_shape("h0", *h0, {config.cells(), sequences.size(), config.hidden_size});
    bound->h0 = h0;
    const auto outputs = fresh<Real, 2>({bound->total, config.state_size()});
    const auto h_n = fresh<Real, 3>({config.cells(), sequences.size(), config.hidden_size});
    {
        const nb::gil_scoped_release release;
        bound->tape.record(sequences, h0 ? h0->data() : nullptr, outputs.data(), h_n.data());
    }
    bound->outputs = nb::cast(outputs);
    bound->h_n = nb::cast(h_n);
    return bound;
}

template <class Real>
auto backward(BoundTape<Real>& bound, const std::optional<In<Real, 2>>& d_outputs,
              const std::optional<In<Real, 3>>& d_h_n) {
    const NetworkConfig& config = bound.network.config();
    if (bound.used) throw InvalidArgument("this tape was already run backward; record the forward pass again");
    if (d_outputs) expect_shape("d_outputs", *d_outputs, {bound.total, config.state_size()});
    if (d_h_n) expect_shape("d_h_n", *d_h_n, {config.cells(), bound.n_sequences, config.hidden_size});
    bound.used = true;
    auto d_parameters = fresh<Real, 1>({bound.network.layout().canonical_size});
    auto d_rows = fresh<Real, 2>({bound.total, config.input_size});
    auto d_h0 = fresh<Real, 3>({config.cells(), bound.n_sequences, config.hidden_size});
    {
        const nb::gil_scoped_release release;
        Buffer<Real> packed;
        packed.resize_zeroed(bound.network.layout().packed_size);
        bound.tape.backward(d_outputs ? d_outputs->data() : nullptr, d_h_n ? d_h_n->data() : nullptr, packed.data(),
                            d_rows.data(), d_h0.data());
        bound.network.to_canonical(packed.data(), d_parameters.data());
    }
    return std::tuple(d_parameters, d_rows, d_h0);
}

template <class Real>
void bind_one(nb::module_& m, const char* name, const char* doc) {
    using Bound = BoundTape<Real>;
    nb::class_<Bound>(m, name, doc)
        .def_prop_ro(
            "outputs", [](const Bound& self) { return self.outputs; }, "(sum of lengths, D * H)")
        .def_prop_ro(
            "h_n", [](const Bound& self) { return self.h_n; }, "(L * D, N, H)")
        .def("backward", &backward<Real>, nb::arg("d_outputs").noconvert().none(), nb::arg("d_h_n").noconvert().none(),
             "Gradients (d_parameters, d_rows, d_h0) from those of outputs and h_n; None counts as zeros.");
    m.def("record", &record<Real>, nb::keep_alive<0, 1>(), "network"_a, "rows"_a.noconvert(), "starts"_a.noconvert(),
          "lengths"_a.noconvert(), nb::arg("h0").noconvert().none(), "n_jobs"_a, nb::kw_only(),
          "checkpoint_steps"_a = 0,
          "Runs `network` forward and keeps what the backward pass needs. Its parameters and the arrays must not\n"
          "change before that. checkpoint_steps: hold the gates of so many steps at a time, and make them again in\n"
          "the backward pass; 0 keeps all.");
}

}  // namespace

void bind_tape(nb::module_& m) {
    bind_one<float>(m, "Tape", "A forward pass that can be run backward once.");
    bind_one<double>(m, "Tape64", "`Tape` in float64.");
}

}  // namespace grulearn::bindings
