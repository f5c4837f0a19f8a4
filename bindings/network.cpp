#include "grulearn/network.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "plain_step.hpp"

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

using Indices = In<std::int64_t, 1>;

template <class Real>
auto forward(const Network<Real>& network, const In<Real, 2>& rows, const Indices& starts, const Indices& lengths,
             const std::optional<In<Real, 3>>& h0, int n_jobs, const Codes& codes) {
    const NetworkConfig& config = network.config();
    const SequencesView<Real> sequences = view(rows, starts, lengths, codes);
    check(sequences, config);
    std::int64_t total = 0;
    for (const std::int64_t length : sequences.lengths) total += length;
    if (h0) expect_shape("h0", *h0, {config.cells(), sequences.size(), config.hidden_size});
    auto outputs = fresh<Real, 2>({total, config.state_size()});
    auto h_n = fresh<Real, 3>({config.cells(), sequences.size(), config.hidden_size});
    {
        const nb::gil_scoped_release release;
        network.forward(sequences, h0 ? h0->data() : nullptr, outputs.data(), h_n.data(), checked_jobs(n_jobs));
    }
    return std::tuple(outputs, h_n);
}

// Of one step: each row is a sequence.
void check_step_codes(const NetworkConfig& config, const Codes& codes, std::int64_t n) {
    const auto columns = static_cast<std::int64_t>(config.tables.size());
    if (!codes && columns == 0) return;
    if (!codes) throw InvalidArgument("codes are missing: the network has categorical features");
    expect_shape("codes", *codes, {n, columns});
    for (std::int64_t i = 0; i < n * columns; ++i) {
        const std::int64_t known = config.tables[static_cast<std::size_t>(i % columns)].codes;
        const std::int32_t code = codes->data()[i];
        if (code >= 0 && code < known) continue;
        throw InvalidArgument("codes: that of row " + std::to_string(i / columns) + ", categorical feature " +
                              std::to_string(i % columns) + " is " + std::to_string(code) + "; expected 0 to " +
                              std::to_string(known - 1));
    }
}

template <class Real>
void step(const Network<Real>& network, const In<Real, 2>& x, const In<Real, 3>& h,
          const nb::ndarray<Real, nb::ndim<3>, nb::c_contig, nb::device::cpu>& out, const Codes& codes) {
    const NetworkConfig& config = network.config();
    const std::int64_t n = extent(x, 0);
    if (extent(x, 1) != config.row_width()) expect_shape("x", x, {n, config.row_width()});
    check_step_codes(config, codes, n);
    if (extent(h, 0) != config.num_layers || extent(h, 1) != n || extent(h, 2) != config.hidden_size) {
        expect_shape("h", h, {config.num_layers, n, config.hidden_size});
    }
    if (extent(out, 0) != config.num_layers || extent(out, 1) != n || extent(out, 2) != config.hidden_size) {
        expect_shape("out", out, {config.num_layers, n, config.hidden_size});
    }
    // For microseconds of work, giving the GIL away and taking it back would cost more than it frees.
    constexpr std::int64_t kShort = 64 * 1024;
    std::optional<nb::gil_scoped_release> release;
    if (n * config.hidden_size > kShort) release.emplace();
    network.step(x.data(), h.data(), out.data(), n, codes ? codes->data() : nullptr);
}

template <class Real>
auto predict(const Network<Real>& network, const In<Real, 2>& rows, const Indices& starts, const Indices& lengths,
             int n_jobs, const Codes& codes) {
    const SequencesView<Real> sequences = view(rows, starts, lengths, codes);
    check(sequences, network.config());  // before the lengths are summed
    const std::span<const std::int64_t> sizes = sequences.lengths;
    const std::int64_t count =
        network.config().per_step ? std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) : sequences.size();
    auto out = fresh<Real, 2>({count, network.config().output_size});
    {
        const nb::gil_scoped_release release;
        network.predict(sequences, out.data(), checked_jobs(n_jobs));
    }
    return out;
}

template <class Real>
void set_parameters(Network<Real>& network, const In<Real, 1>& values) {
    expect_shape("values", values, {network.layout().canonical_size});
    network.set_parameters(values.data());
}

Pool pool_of(const std::string& name) {
    if (name == "last") return Pool::last;
    if (name == "mean") return Pool::mean;
    if (name == "max") return Pool::max;
    if (name == "attention") return Pool::attention;
    throw InvalidArgument("pool must be 'last', 'mean', 'max' or 'attention', got '" + name + "'");
}

bool is_per_step(const std::string& target) {
    if (target != "value" && target != "sequence") {
        throw InvalidArgument("target must be 'value' or 'sequence', got '" + target + "'");
    }
    return target == "sequence";
}

template <class Real>
void bind_one(nb::module_& m, const char* name, const char* doc) {
    nb::class_<Network<Real>>(m, name, doc)
        .def(
            "__init__",
            [](Network<Real>* self, std::int64_t input_size, std::int64_t hidden_size, std::int64_t num_layers,
               bool bidirectional, bool reset_after, bool bias, std::int64_t output_size, const std::string& pool,
               const std::string& target, const std::vector<std::pair<std::int64_t, std::int64_t>>& categorical,
               bool decay, double zoneout, bool layer_norm, const std::string& isa) {
                NetworkConfig config{input_size, hidden_size, num_layers,    bidirectional,      reset_after,
                                     bias,       output_size, pool_of(pool), is_per_step(target)};
                for (const auto& [codes, size] : categorical) config.tables.push_back({codes, size});
                config.decay = decay;
                config.zoneout = zoneout;
                config.layer_norm = layer_norm;
                new (self) Network<Real>(config, isa);
            },
            "input_size"_a, "hidden_size"_a, nb::kw_only(), "num_layers"_a = 1, "bidirectional"_a = false,
            "reset_after"_a = true, "bias"_a = true, "output_size"_a = 0, "pool"_a = "last", "target"_a = "value",
            "categorical"_a = std::vector<std::pair<std::int64_t, std::int64_t>>(), "decay"_a = false,
            "zoneout"_a = 0.0, "layer_norm"_a = false, "isa"_a = "")
        .def_prop_ro(
            "n_parameters", [](const Network<Real>& self) { return self.layout().canonical_size; },
            "Length of the flat parameter vector.")
        .def(
            "parameters",
            [](const Network<Real>& self) {
                auto out = fresh<Real, 1>({self.layout().canonical_size});
                self.get_parameters(out.data());
                return out;
            },
            "A copy of all parameters, (n_parameters,).")
        .def("set_parameters", &set_parameters<Real>, "values"_a.noconvert(), "Sets all parameters, (n_parameters,).")
        .def("forward", &forward<Real>, "rows"_a.noconvert(), "starts"_a.noconvert(), "lengths"_a.noconvert(),
             nb::arg("h0").noconvert().none(), "n_jobs"_a, nb::arg("codes").noconvert().none() = nb::none(),
             "outputs (sum of lengths, D * H), sequence after sequence, and h_n (L * D, N, H).")
        .def("step", &step<Real>, "x"_a.noconvert(), "h"_a.noconvert(), "out"_a.noconvert(),
             nb::arg("codes").noconvert().none() = nb::none(),
             "One step of N rows: x (N, F), h and out (L, N, H); out may be h. Allocates nothing.")
        .def("plain_step", &plain_step<Real>, "x"_a.none(), "h"_a.none(), "out"_a.none(),
             "`step` on arrays of exactly the right kind: x (F,) or (N, F), h and out (L, H) or (L, N, H), or None.\n"
             "Returns out, or a new array for None; returns None, having done nothing, if an array needs converting.")
        .def("predict", &predict<Real>, "rows"_a.noconvert(), "starts"_a.noconvert(), "lengths"_a.noconvert(),
             "n_jobs"_a, nb::arg("codes").noconvert().none() = nb::none(),
             "The head's outputs, (N, O); with target=\"sequence\" (sum of lengths, O), sequence after sequence.");
}

}  // namespace

void bind_network(nb::module_& m) {
    prepare_plain_step();
    bind_one<float>(
        m, "Network",
        "A stack of GRU layers with an optional linear head.\n\n"
        "Parameters are one flat vector in the order of PyTorch's state_dict: weight_ih, weight_hh, bias_ih\n"
        "and bias_hh of each layer and direction, then the input's, the query of pool=\"attention\", and the head's\n"
        "weight and bias. All arrays are float32.\n\n"
        "With categorical=[(n_codes, size), ...] each row has as many int32 codes as that has pairs: `codes`\n"
        "(R, C), beside the numeric `rows`. With decay=True a row is [value (F), mask (F), gap (F)].\n"
        "zoneout: the part of each state that a step leaves as it was; a Trainer draws which units those are.\n"
        "With layer_norm the gains gain_ih and gain_hh (3H,) of each layer and direction follow its biases.");
    bind_one<double>(m, "Network64", "`Network` in float64.");
}

}  // namespace grulearn::bindings
