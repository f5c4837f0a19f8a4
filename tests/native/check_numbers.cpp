#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "checks.hpp"
#include "grulearn/errors.hpp"
#include "grulearn/training.hpp"

namespace native_tests {

namespace {

constexpr std::int64_t kSequences = 11, kLength = 6, kFeatures = 4, kHidden = 19;

template <class Real>
std::vector<Real> random_values(std::size_t count, unsigned seed, double scale) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> uniform(-scale, scale);
    std::vector<Real> values(count);
    for (Real& value : values) value = static_cast<Real>(uniform(generator));
    return values;
}

template <class Real>
struct Data {
    std::vector<Real> rows = random_values<Real>(kSequences * kLength * kFeatures, 1, 2.0);
    std::vector<std::int64_t> starts, lengths;

    Data() {
        for (std::int64_t i = 0; i < kSequences; ++i) {
            starts.push_back(i * kLength);
            lengths.push_back(kLength);
        }
    }
    [[nodiscard]] grulearn::SequencesView<Real> view() const {
        grulearn::SequencesView<Real> view;
        view.n_rows = kSequences * kLength;
        view.n_features = kFeatures;
        view.starts = starts;
        view.lengths = lengths;
        view.rows = rows.data();
        return view;
    }
};

template <class Real>
std::vector<Real> outputs_of(const grulearn::Network<Real>& network, const Data<Real>& data, int n_jobs) {
    std::vector<Real> outputs(kSequences * kLength * kHidden), h_n(kSequences * kHidden);
    network.forward(data.view(), nullptr, outputs.data(), h_n.data(), n_jobs);
    return outputs;
}

template <class Real>
void check_nan_isolation(const grulearn::Network<Real>& network, int n_jobs, Report& report) {
    constexpr std::int64_t kBad = 4, kBadStep = 2;
    Data<Real> data;
    const std::vector<Real> clean = outputs_of(network, data, n_jobs);
    data.rows[(kBad * kLength + kBadStep) * kFeatures + 1] = std::numeric_limits<Real>::quiet_NaN();
    const std::vector<Real> outputs = outputs_of(network, data, n_jobs);
    bool others_equal = true, all_nan = true;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(clean.size()); ++i) {
        const std::int64_t step = i / kHidden;
        const auto at = static_cast<std::size_t>(i);
        if (step / kLength == kBad && step % kLength >= kBadStep) {
            all_nan = all_nan && std::isnan(outputs[at]);
        } else {
            others_equal = others_equal && outputs[at] == clean[at];
        }
    }
    report.check(others_equal, "a NaN changed what it must not reach, n_jobs=" + std::to_string(n_jobs));
    report.check(all_nan, "a NaN got lost in its own sequence, n_jobs=" + std::to_string(n_jobs));
}

template <class Action>
bool refused(const Action& action) {
    try {
        action();
    } catch (const grulearn::InvalidArgument&) {
        return true;
    }
    return false;
}

template <class Real>
void check_refusals(grulearn::Network<Real>& network, Report& report) {
    const Data<Real> data;
    std::vector<Real> targets(kSequences);
    auto outside = data.view();
    const std::vector<std::int64_t> too_long(kSequences, kLength + 1);
    outside.lengths = too_long;
    std::vector<Real> outputs(kSequences * (kLength + 1) * kHidden), h_n(kSequences * kHidden);
    report.check(refused([&] { network.forward(outside, nullptr, outputs.data(), h_n.data(), 1); }),
                 "a sequence beyond the rows is accepted");
    auto narrow = data.view();
    narrow.n_features = kFeatures - 1;
    report.check(refused([&] { network.forward(narrow, nullptr, outputs.data(), h_n.data(), 1); }),
                 "rows with another number of features are accepted");
    grulearn::TargetsView<Real> view;
    view.n_rows = kSequences;
    view.n_columns = 1;
    view.values = targets.data();
    report.check(refused([&] { grulearn::Trainer<Real>(network, data.view(), view, {}); }),
                 "a trainer without a head is accepted");
    report.check(refused([&] { grulearn::Network<Real>(network.config(), "none"); }),
                 "an unknown instruction set is accepted");
}

}  // namespace

template <class Real>
void check_numbers(std::string_view isa, Report& report) {
    for (const bool reset_after : {true, false}) {
        grulearn::NetworkConfig config;
        config.input_size = kFeatures;
        config.hidden_size = kHidden;
        config.reset_after = reset_after;
        grulearn::Network<Real> network(config, isa);
        const auto count = static_cast<std::size_t>(network.layout().canonical_size);
        network.set_parameters(random_values<Real>(count, 2, 0.3).data());
        for (const int n_jobs : {1, 2, 3}) check_nan_isolation(network, n_jobs, report);
        check_refusals(network, report);
    }
}

template void check_numbers<float>(std::string_view, Report&);
template void check_numbers<double>(std::string_view, Report&);

}  // namespace native_tests
