#include "grulearn/stream.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "losses.hpp"
#include "stream_call.hpp"

namespace nb = nanobind;

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

// None, and nothing has changed, if an array needs converting or something is wrong.
template <class Real, Wanted wanted>
nb::object step(BoundStream<Real>& bound, nb::handle x, nb::handle streams, nb::handle out, nb::handle codes,
                nb::handle times) {
    const Turn turn(bound.turns);
    Inputs<Real> inputs;
    if (!inputs.read(bound, x, streams, codes, times)) return nb::none();
    Result<Real, wanted> result(bound.stream, inputs);
    if (!result.take(out)) return nb::none();
    bool done;
    if (bound.stream.is_long(inputs.n)) {
        const nb::gil_scoped_release release;
        done = bound.stream.step(inputs);
    } else {
        done = bound.stream.step(inputs);
    }
    return done ? result.of(bound.stream) : nb::none();
}

template <class Real>
nb::any n_steps(BoundStream<Real>& bound) {
    const Turn turn(bound.turns);
    const npy_intp shape[1] = {static_cast<npy_intp>(bound.stream.size())};
    nb::object steps = new_array(1, shape, NPY_INT64);
    std::copy(bound.stream.n_steps().begin(), bound.stream.n_steps().end(),
              data_of<std::int64_t>(reinterpret_cast<PyArrayObject*>(steps.ptr())));
    return nb::borrow<nb::any>(steps);
}

template <class Real>
void reset(BoundStream<Real>& bound, const std::optional<std::vector<std::int64_t>>& streams) {
    const Turn turn(bound.turns);
    if (!streams) {
        for (std::int64_t i = 0; i < bound.stream.size(); ++i) bound.stream.reset(i);
        return;
    }
    for (const std::int64_t i : *streams) {
        if (i < 0 || i >= bound.stream.size()) throw nb::index_error("there is no such stream");
    }
    for (const std::int64_t i : *streams) bound.stream.reset(i);
}

template <class Real>
int type_of(const BoundStream<Real>& bound, const CarriedArray& array) {
    switch (array.type) {
        case CarriedArray::Type::float32: return NPY_FLOAT;
        case CarriedArray::Type::float64: return NPY_DOUBLE;
        case CarriedArray::Type::int64: return NPY_INT64;
        case CarriedArray::Type::time: return bound.time_type;
    }
    return -1;
}

inline std::size_t bytes_of(const CarriedArray& array) {
    std::size_t bytes = array.type == CarriedArray::Type::float32 ? 4 : 8;
    for (const std::int64_t size : array.shape) bytes *= static_cast<std::size_t>(size);
    return bytes;
}

// Without a clock there are no times yet.
template <class Real>
bool is_there(const BoundStream<Real>& bound, const CarriedArray& array) {
    return array.type != CarriedArray::Type::time || bound.time_type >= 0;
}

using NamedArrays = nb::typed<nb::dict, nb::str, nb::any>;

template <class Real>
NamedArrays state(BoundStream<Real>& bound) {
    const Turn turn(bound.turns);
    NamedArrays arrays;
    for (const CarriedArray& carried : bound.stream.state()) {
        if (!is_there(bound, carried)) continue;
        const std::vector<npy_intp> shape(carried.shape.begin(), carried.shape.end());
        nb::object array = new_array(static_cast<int>(shape.size()), shape.data(), type_of(bound, carried));
        std::memcpy(data_of<char>(reinterpret_cast<PyArrayObject*>(array.ptr())), carried.data, bytes_of(carried));
        arrays[carried.name.c_str()] = array;
    }
    return arrays;
}

template <class Real>
void set_state(BoundStream<Real>& bound, const NamedArrays& arrays) {
    const Turn turn(bound.turns);
    const std::vector<CarriedArray> all = bound.stream.state();
    const auto given = [&](const CarriedArray& carried) {
        return plain_array(nb::object(arrays[carried.name.c_str()]));  // the dict keeps it
    };
    for (const CarriedArray& carried : all) {
        if (!is_there(bound, carried)) continue;
        const std::vector<npy_intp> shape(carried.shape.begin(), carried.shape.end());
        PyArrayObject* array = arrays.contains(carried.name.c_str()) ? given(carried) : nullptr;
        if (array == nullptr || PyArray_TYPE(array) != type_of(bound, carried) ||
            !has_shape(array, static_cast<int>(shape.size()), shape.data())) {
            throw InvalidArgument("state: '" + carried.name +
                                  "' is missing, or has not the dtype and shape of `state()`");
        }
    }
    for (const CarriedArray& carried : all) {
        if (is_there(bound, carried)) std::memcpy(carried.data, data_of<char>(given(carried)), bytes_of(carried));
    }
}

template <class Real>
void set_clock(BoundStream<Real>& bound, bool integers, double unit) {
    const Turn turn(bound.turns);
    if (bound.stream.encoding().time != GapTime::given) throw InvalidArgument("these streams are given no times");
    if (!(unit > 0.0)) throw InvalidArgument("the unit must be positive, got " + std::to_string(unit));
    bound.stream.set_clock(integers, unit);
    bound.time_type = integers ? NPY_INT64 : NPY_DOUBLE;
}

Missing missing_of(const std::string& name) {
    static constexpr std::pair<const char*, Missing> kWays[] = {{"error", Missing::error},
                                                                {"mean", Missing::mean},
                                                                {"forward", Missing::forward},
                                                                {"simple", Missing::simple},
                                                                {"decay", Missing::decay}};
    for (const auto& [known, missing] : kWays) {
        if (name == known) return missing;
    }
    throw InvalidArgument("missing: expected 'error', 'mean', 'forward', 'simple' or 'decay', got '" + name + "'");
}

GapTime gap_time_of(const std::string& name) {
    if (name == "none") return GapTime::none;
    if (name == "steps") return GapTime::steps;
    if (name == "given") return GapTime::given;
    throw InvalidArgument("gap_time: expected 'none', 'steps' or 'given', got '" + name + "'");
}

template <class Real>
void bind_one(nb::module_& m, const char* name, const char* doc) {
    using Bound = BoundStream<Real>;
    constexpr const char* kStep =
        "One step: x (F,) for the only stream or the one with number `streams`, or (n, F) for all or those whose\n"
        "different numbers `streams` (n,) has. codes, int32 (C,) or (n, C), of the network's tables. times, int64\n"
        "or float64, () or (n,), if gap_time is \"given\". ";
    nb::class_<Bound>(m, name, doc)
        .def(
            "__init__",
            [](Bound* self, const Network<Real>& network, std::int64_t n_streams, const std::vector<double>& mean,
               const std::vector<double>& scale, const std::vector<double>& fill, const std::string& missing,
               const std::string& gap_time, const std::string& loss, const std::vector<double>& quantiles,
               const std::vector<double>& target_mean, const std::vector<double>& target_scale, int n_jobs) {
                new (self) Bound(network, {n_streams,
                                           {mean, scale, fill, missing_of(missing), gap_time_of(gap_time)},
                                           {loss_of(loss), 1.0, quantiles},
                                           target_mean,
                                           target_scale,
                                           checked_jobs(n_jobs)});
            },
            nb::keep_alive<1, 2>(), "network"_a, "n_streams"_a, nb::kw_only(), "mean"_a, "scale"_a, "fill"_a,
            "missing"_a = "error", "gap_time"_a = "none", "loss"_a, "quantiles"_a = std::vector<double>(),
            "target_mean"_a = std::vector<double>(), "target_scale"_a = std::vector<double>(), "n_jobs"_a = 1)
        .def("step", &step<Real, Wanted::predictions>, "x"_a.none(), "streams"_a.none(), "out"_a.none(),
             "codes"_a.none() = nb::none(), "times"_a.none() = nb::none(),
             (std::string(kStep) + "Returns a prediction for each target; float64, (n, K), (K,), (n,) or a float.\n"
                                   "None, and nothing has changed, if an array needs converting or something is wrong.")
                 .c_str())
        .def("step_values", &step<Real, Wanted::values>, "x"_a.none(), "streams"_a.none(), "out"_a.none(),
             "codes"_a.none() = nb::none(), "times"_a.none() = nb::none(),
             "`step` that returns everything that was decoded: (n, O), (O,), (n,) or a float.")
        .def("step_probabilities", &step<Real, Wanted::probabilities>, "x"_a.none(), "streams"_a.none(), "out"_a.none(),
             "codes"_a.none() = nb::none(), "times"_a.none() = nb::none(),
             "`step` that returns the probability of each class, (n, C) or (C,): of a single output p, 1 - p and p.")
        .def("step_decisions", &step<Real, Wanted::decisions>, "x"_a.none(), "streams"_a.none(), "out"_a.none(),
             "codes"_a.none() = nb::none(), "times"_a.none() = nb::none(),
             "`step` that returns the likeliest class, int64 (n,) or an int, or for binary_cross_entropy 1 where an\n"
             "output is positive, else 0: (n, K), (K,), (n,) or an int.")
        .def("reset", &reset<Real>, "streams"_a.none() = nb::none(),
             "Puts streams (None: all) back to their beginning.")
        .def("n_steps", &n_steps<Real>, "How many steps each stream has had, (n_streams,).")
        .def("set_clock", &set_clock<Real>, "integers"_a, "unit"_a,
             "Says what times are from now on, int64 or float64, and how many of them make a gap of 1.")
        .def("state", &state<Real>, "Copies of the arrays that are carried from one step to the next.")
        .def("set_state", &set_state<Real>, "arrays"_a, "Goes on from arrays of the dtypes and shapes of `state`.");
}

}  // namespace

void bind_stream(nb::module_& m) {
    import_numpy();
    bind_one<float>(
        m, "Stream",
        "Streams of a network with a head, each advanced step by step.\n\n"
        "mean, scale and fill (F,) are those of the features, missing and gap_time say what is made of them;\n"
        "target_mean and target_scale (K,) as in `decode`. The network's parameters must not change.");
    bind_one<double>(m, "Stream64", "`Stream` of a network in float64.");
}

}  // namespace grulearn::bindings
