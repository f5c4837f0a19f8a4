#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "checks.hpp"
#include "grulearn/stream.hpp"

namespace native_tests {

namespace {

using grulearn::GapTime;
using grulearn::Missing;
using grulearn::Pool;

// More streams than a step takes at once, and more steps than are added before the rest of a sum.
constexpr std::int64_t kStreams = 70, kFeatures = 5, kHidden = 19, kLength = 260;

struct Way {
    Missing missing;
    GapTime time;
    bool decay;
};

// Steps of all streams with about a third missing, as the user has them: [step][stream][feature].
std::vector<double> draw_steps(const Way& way) {
    std::mt19937 generator(3);
    std::uniform_real_distribution<double> uniform(-4.0, 6.0), chance(0.0, 1.0);
    std::vector<double> x(kLength * kStreams * kFeatures);
    for (double& value : x) {
        value = uniform(generator);
        if (way.missing != Missing::error && chance(generator) < 0.3) value = std::numeric_limits<double>::quiet_NaN();
    }
    return x;
}

std::int64_t time_of(std::int64_t step) { return step * step + 5; }

// The same as the network reads it, sequence after sequence: encoding/steps.py in plain loops.
template <class Real>
std::vector<Real> encode(const std::vector<double>& x, const grulearn::StepEncoding& encoding, double unit) {
    const std::int64_t width = encoding.row_width();
    std::vector<Real> rows(static_cast<std::size_t>(kStreams * kLength * width));
    for (std::int64_t i = 0; i < kStreams; ++i) {
        for (std::int64_t f = 0; f < kFeatures; ++f) {
            const auto column = static_cast<std::size_t>(f);
            double value = encoding.fill[column];
            std::int64_t since = encoding.time == GapTime::given ? time_of(0) : 0;
            for (std::int64_t t = 0; t < kLength; ++t) {
                const std::int64_t now = encoding.time == GapTime::given ? time_of(t) : t;
                const double given = x[static_cast<std::size_t>((t * kStreams + i) * kFeatures + f)];
                const bool missing = std::isnan(given);
                const double gap = static_cast<double>(now - since) / unit;
                if (!missing) {
                    value = (given - encoding.mean[column]) / encoding.scale[column];
                    since = now;
                } else if (encoding.missing == Missing::mean) {
                    value = encoding.fill[column];
                }
                Real* row = rows.data() + (i * kLength + t) * width;
                row[f] = static_cast<Real>(value);
                if (!encoding.has_gaps()) continue;
                row[kFeatures + f] = missing ? Real{0} : Real{1};
                row[2 * kFeatures + f] = static_cast<Real>(gap);
            }
        }
    }
    return rows;
}

// What a prediction on the first steps of all sequences gives.
template <class Real>
std::vector<double> predict(const grulearn::Network<Real>& network, const grulearn::Decoding& decoding,
                            const std::vector<Real>& rows, std::int64_t n_steps) {
    std::vector<std::int64_t> starts, lengths(kStreams, n_steps);
    for (std::int64_t i = 0; i < kStreams; ++i) starts.push_back(i * kLength);
    grulearn::SequencesView<Real> view;
    view.n_rows = kStreams * kLength;
    view.n_features = network.config().row_width();
    view.starts = starts;
    view.lengths = lengths;
    view.rows = rows.data();
    std::vector<Real> outputs(static_cast<std::size_t>(kStreams * network.config().output_size));
    network.predict(view, outputs.data(), 1);
    std::vector<double> values(outputs.size());
    decoding.run(outputs.data(), kStreams, values.data());
    return values;
}

// Every way of a step: all at once, and in two calls with the streams in another order.
template <class Real>
void check_way(grulearn::NetworkConfig config, const Way& way, int n_jobs, std::string_view isa, Report& report) {
    grulearn::StreamConfig options;
    options.n_streams = kStreams;
    options.n_jobs = n_jobs;
    options.encoding = {
        {0.5, -1.0, 0.0, 2.0, 1.5}, {2.0, 0.3, 1.0, 5.0, 0.7}, {0.1, 0, 0, 0, -0.2}, way.missing, way.time};
    config.decay = way.decay;
    config.input_size = way.missing == Missing::simple ? 3 * kFeatures : kFeatures;
    options.loss.loss = grulearn::Loss::cross_entropy;
    grulearn::Network<Real> network(config, isa);
    std::mt19937 generator(2);
    std::uniform_real_distribution<double> uniform(-0.3, 0.3);
    std::vector<Real> parameters(static_cast<std::size_t>(network.layout().canonical_size));
    for (Real& value : parameters) value = static_cast<Real>(uniform(generator));
    network.set_parameters(parameters.data());

    grulearn::Stream<Real> whole(network, options), parts(network, options);
    const double unit = way.time == GapTime::given ? 7.0 : 1.0;
    for (auto* stream : {&whole, &parts}) {
        if (way.time == GapTime::given) stream->set_clock(true, unit);
    }
    const std::vector<double> x = draw_steps(way);
    const std::vector<Real> rows = encode<Real>(x, options.encoding, unit);
    const grulearn::Decoding decoding({config.output_size, options.loss, {}, {}}, isa);
    for (std::int64_t t = 0; t < kLength; ++t) {
        const double* step = x.data() + t * kStreams * kFeatures;
        const std::vector<std::int64_t> times(kStreams, time_of(t));
        grulearn::StepData data;
        data.n = kStreams;
        data.dbl = step;
        data.times = times.data();
        report.check(whole.step(data), "a step is refused");
        const std::vector<double> values(whole.values(), whole.values() + kStreams * config.output_size);
        std::vector<double> from_parts(values.size());
        for (const std::int64_t odd : {1, 0}) {
            std::vector<std::int64_t> streams;
            std::vector<double> some;
            for (std::int64_t i = kStreams - 1 - (kStreams - 1 + odd) % 2; i >= 0; i -= 2) {
                streams.push_back(i);
                some.insert(some.end(), step + i * kFeatures, step + (i + 1) * kFeatures);
            }
            data.n = static_cast<std::int64_t>(streams.size());
            data.streams = streams.data();
            data.dbl = some.data();
            report.check(parts.step(data), "a step of some streams is refused");
            for (std::int64_t i = 0; i < data.n; ++i) {
                std::copy_n(parts.values() + i * config.output_size, config.output_size,
                            from_parts.data() + streams[static_cast<std::size_t>(i)] * config.output_size);
            }
        }
        report.same_bits(from_parts, values, "streams in two calls");
        if (t % 37 == 0 || t > 253) report.same_bits(values, predict(network, decoding, rows, t + 1), "a prediction");
    }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> broken(kFeatures, way.missing == Missing::error ? nan : HUGE_VAL);
    grulearn::StepData bad;
    bad.n = 1;
    bad.dbl = broken.data();
    const std::int64_t later = time_of(kLength);
    bad.times = &later;
    report.check(!whole.step(bad), "a step that is not finite is taken");
}

}  // namespace

template <class Real>
void check_streams(std::string_view isa, const Options& options, Report& report) {
    constexpr Way kWays[] = {{Missing::error, GapTime::none, false},   {Missing::mean, GapTime::none, false},
                             {Missing::forward, GapTime::none, false}, {Missing::simple, GapTime::steps, false},
                             {Missing::simple, GapTime::given, false}, {Missing::decay, GapTime::given, true}};
    const std::string subject = report.subject();
    int number = 0;
    for (const Way& way : kWays) {
        for (const Pool pool : {Pool::last, Pool::mean, Pool::max}) {
            grulearn::NetworkConfig config;
            config.hidden_size = kHidden;
            config.output_size = 3;
            config.pool = pool;
            config.num_layers = 1 + number % 2;
            config.reset_after = number % 3 != 0;
            report.about(subject + ", streams " + std::to_string(number++));
            if (!options.quick || number % 5 == 0) check_way<Real>(config, way, 1 + number % 3, isa, report);
        }
    }
    report.about(subject);
}

template void check_streams<float>(std::string_view, const Options&, Report&);
template void check_streams<double>(std::string_view, const Options&, Report&);

}  // namespace native_tests
