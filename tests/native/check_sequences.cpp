#include <algorithm>
#include <numeric>
#include <string>

#include "checks.hpp"
#include "grulearn/training.hpp"

namespace native_tests {

namespace {

template <class Real>
struct Answers {
    std::vector<Real> outputs, h_n, d_parameters, d_rows, d_h0;
};

template <class Real>
Answers<Real> forward(const grulearn::Network<Real>& network, const Case& c, const Inputs<Real>& in, int n_jobs) {
    Answers<Real> out;
    out.outputs.resize(c.outputs.size());
    out.h_n.resize(c.h_n.size());
    network.forward(in.view(), in.h0(), out.outputs.data(), out.h_n.data(), n_jobs);
    return out;
}

template <class Real>
Answers<Real> record_and_back(const grulearn::Network<Real>& network, const Case& c, const Inputs<Real>& in, int n_jobs,
                              std::int64_t checkpoint_steps) {
    Answers<Real> out;
    out.outputs.resize(c.outputs.size());
    out.h_n.resize(c.h_n.size());
    grulearn::Tape<Real> tape(network, n_jobs, checkpoint_steps);
    tape.record(in.view(), in.h0(), out.outputs.data(), out.h_n.data());
    std::vector<Real> packed(static_cast<std::size_t>(network.layout().packed_size));
    out.d_parameters.resize(c.parameters.size());
    out.d_rows.resize(c.rows.size());
    out.d_h0.resize(c.h_n.size());
    tape.backward(in.d_outputs.data(), in.d_h_n.data(), packed.data(), out.d_rows.data(), out.d_h0.data());
    network.to_canonical(packed.data(), out.d_parameters.data());
    return out;
}

template <class Real>
void compare_gradients(const Case& c, const Answers<Real>& actual, Report& report) {
    const std::span<const Real> all(actual.d_parameters);
    const std::span<const double> expected(c.d_parameters);
    std::size_t begin = 0;
    for (std::size_t part = 0; part < c.part_sizes.size(); ++part) {
        const auto size = static_cast<std::size_t>(c.part_sizes[part]);
        report.gradient(all.subspan(begin, size), expected.subspan(begin, size),
                        "gradient of parameter array " + std::to_string(part));
        begin += size;
    }
    report.gradient(std::span<const Real>(actual.d_rows), c.d_rows, "gradient of the rows");
    report.gradient(std::span<const Real>(actual.d_h0), c.d_h0, "gradient of h0");
}

template <class Real>
void compare_bits(const Answers<Real>& a, const Answers<Real>& b, const std::string& how, Report& report) {
    report.same_bits(a.outputs, b.outputs, "outputs, " + how);
    report.same_bits(a.h_n, b.h_n, "h_n, " + how);
    report.same_bits(a.d_parameters, b.d_parameters, "gradient of the parameters, " + how);
    report.same_bits(a.d_rows, b.d_rows, "gradient of the rows, " + how);
    report.same_bits(a.d_h0, b.d_h0, "gradient of h0, " + how);
}

// All sequences equally long: step by step the states must be those of the whole, to the bit.
template <class Real>
void check_steps(const grulearn::Network<Real>& network, const Case& c, const Inputs<Real>& in,
                 const std::vector<Real>& h_n, Report& report) {
    const std::int64_t length = c.lengths.empty() ? 0 : c.lengths[0];
    const bool equal = std::all_of(c.lengths.begin(), c.lengths.end(), [&](auto l) { return l == length; });
    if (c.config.bidirectional || !equal) return;
    const std::int64_t features = c.config.input_size;
    std::vector<Real> h = in.has_h0 ? in.h0_values : std::vector<Real>(c.h_n.size());
    std::vector<Real> x(static_cast<std::size_t>(c.size() * features));
    for (std::int64_t t = 0; t < length; ++t) {
        for (std::int64_t i = 0; i < c.size(); ++i) {
            std::copy_n(in.rows.data() + (c.starts[static_cast<std::size_t>(i)] + t) * features, features,
                        x.data() + i * features);
        }
        network.step(x.data(), h.data(), h.data(), c.size());
    }
    report.same_bits(h, h_n, "step by step");
}

}  // namespace

template <class Real>
void check_sequences(const Case& c, std::string_view isa, Report& report) {
    const Inputs<Real> in(c);
    grulearn::Network<Real> network(c.config, isa);
    network.set_parameters(in.parameters.data());
    std::vector<Real> back(in.parameters.size());
    network.get_parameters(back.data());
    report.same_bits(back, in.parameters, "parameters set and read");

    const Answers<Real> one = forward(network, c, in, 1);
    report.near(std::span<const Real>(one.outputs), c.outputs, Tolerance<Real>::kForward, "outputs");
    report.near(std::span<const Real>(one.h_n), c.h_n, Tolerance<Real>::kForward, "h_n");
    check_steps(network, c, in, one.h_n, report);
    for (const int n_jobs : {2, 3}) {
        compare_bits(forward(network, c, in, n_jobs), one, "forward, n_jobs=" + std::to_string(n_jobs), report);
    }
    if (c.huge) return;

    const Answers<Real> whole = record_and_back(network, c, in, 1, 0);
    report.same_bits(whole.outputs, one.outputs, "outputs, recorded");
    report.same_bits(whole.h_n, one.h_n, "h_n, recorded");
    compare_gradients(c, whole, report);
    for (const int n_jobs : {1, 2, 3}) {
        for (const std::int64_t steps : {0, 20}) {
            if (n_jobs == 1 && steps == 0) continue;
            compare_bits(record_and_back(network, c, in, n_jobs, steps), whole,
                         "n_jobs=" + std::to_string(n_jobs) + " checkpoint_steps=" + std::to_string(steps), report);
        }
    }
}

template void check_sequences<float>(const Case&, std::string_view, Report&);
template void check_sequences<double>(const Case&, std::string_view, Report&);

}  // namespace native_tests
