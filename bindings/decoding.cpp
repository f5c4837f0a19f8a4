#include "grulearn/decoding.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "bind.hpp"
#include "losses.hpp"

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

template <class Real>
auto decode(const In<Real, 2>& outputs, const std::string& loss, const std::vector<double>& quantiles,
            const std::vector<double>& mean, const std::vector<double>& scale, const std::string& isa) {
    const std::int64_t rows = extent(outputs, 0);
    const Decoding decoding({extent(outputs, 1), {loss_of(loss), 1.0, quantiles}, mean, scale}, isa);
    auto values = fresh<double, 2>({rows, decoding.outputs()});
    {
        const nb::gil_scoped_release release;
        decoding.run(outputs.data(), rows, values.data());
    }
    return values;
}

template <class Real>
void bind_one(nb::module_& m) {
    m.def("decode", &decode<Real>, "outputs"_a.noconvert(), nb::kw_only(), "loss"_a,
          "quantiles"_a = std::vector<double>(), "mean"_a = std::vector<double>(), "scale"_a = std::vector<double>(),
          "isa"_a = "",
          "What the outputs (N, O) of a head stand for, in the user's units, (N, O) in float64.\n\n"
          "mean and scale (K,) are those of the targets: a value becomes itself * scale + mean, the standard\n"
          "deviations of gaussian themselves * scale. Each row's bits are those it has alone.");
}

}  // namespace

void bind_decoding(nb::module_& m) {
    bind_one<float>(m);
    bind_one<double>(m);
}

}  // namespace grulearn::bindings
