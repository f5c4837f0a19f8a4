#include "step_encoder.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "grulearn/errors.hpp"

namespace grulearn {

namespace {

template <class Real>
bool is_finite(Real x) {
    return std::abs(x) <= std::numeric_limits<Real>::max();
}

}  // namespace

template <class Real>
StepEncoder<Real>::StepEncoder(const StepEncoding& encoding, std::int64_t n_streams)
    : encoding_(encoding), n_streams_(n_streams) {
    const std::size_t features = encoding.mean.size();
    if (encoding.scale.size() != features || encoding.fill.size() != features) {
        throw InvalidArgument("mean, scale and fill must have one value for each feature, got " +
                              std::to_string(features) + ", " + std::to_string(encoding.scale.size()) + " and " +
                              std::to_string(encoding.fill.size()));
    }
    if (encoding.has_gaps() != (encoding.missing >= Missing::simple && features > 0)) {
        throw InvalidArgument(
            "gap_time belongs to missing 'simple' and 'decay' with at least one feature, and to them");
    }
    const auto all = static_cast<std::size_t>(n_streams) * features;
    if (encoding.fills_forward()) {
        value_.resize(all);
        staged_value_.resize(all);
    }
    if (encoding.has_gaps()) {
        since_.resize(all);
        staged_since_.resize(all);
    }
    if (encoding.time == GapTime::given) time_.resize(static_cast<std::size_t>(n_streams));
    for (std::int64_t stream = 0; stream < n_streams; ++stream) reset(stream);
}

template <class Real>
void StepEncoder<Real>::set_clock(bool integers, double unit) {
    integers_ = integers;
    unit_ = unit;
}

template <class Real>
void StepEncoder<Real>::reset(std::int64_t stream) {
    const auto features = encoding_.fill.size();
    const auto begin = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(stream) * features);
    if (!value_.empty()) std::copy(encoding_.fill.begin(), encoding_.fill.end(), value_.begin() + begin);
    if (!since_.empty()) std::fill_n(since_.begin() + begin, features, 0);
    if (!time_.empty()) time_[static_cast<std::size_t>(stream)] = 0;
}

template <class Real>
std::vector<CarriedArray> StepEncoder<Real>::carried() {
    std::vector<CarriedArray> arrays;
    const std::vector<std::int64_t> each{n_streams_, encoding_.features()};
    const auto times = encoding_.time == GapTime::given ? CarriedArray::Type::time : CarriedArray::Type::int64;
    if (encoding_.fills_forward()) {
        arrays.push_back({"last_values", CarriedArray::Type::float64, value_.data(), each});
    }
    if (encoding_.has_gaps()) arrays.push_back({"since", times, since_.data(), each});
    if (encoding_.time == GapTime::given) arrays.push_back({"time", times, time_.data(), {n_streams_}});
    return arrays;
}

template <class Real>
template <class Given>
bool StepEncoder<Real>::encode(const Given* x, const std::int64_t* streams, std::int64_t n, const TimeBits* times,
                               const std::int64_t* n_steps, Real* rows) {
    if (!encoding_.fills_forward()) return encode_scaled(x, n, rows);
    if (!times_fit(streams, n, times, n_steps)) return false;
    const std::size_t features = encoding_.mean.size();
    bool finite = true;
    std::size_t staged = 0;
    for (std::int64_t i = 0; i < n; ++i, x += features, rows += encoding_.row_width()) {
        const auto stream = static_cast<std::size_t>(streams == nullptr ? i : streams[i]);
        const TimeBits time = encoding_.time == GapTime::given ? times[i] : n_steps[stream];
        for (std::size_t f = 0; f < features; ++f, ++staged) {
            const Place place{stream * features + f, staged, time, n_steps[stream] == 0};
            const double value = (static_cast<double>(x[f]) - encoding_.mean[f]) / encoding_.scale[f];
            finite = finite && !std::isinf(x[f]);  // of a feature without a mean the value would be missing
            rows[f] = static_cast<Real>(fill_forward(value, place));
            finite = finite && is_finite(rows[f]);
            if (!encoding_.has_gaps()) continue;
            const bool observed = !std::isnan(value);
            rows[features + f] = observed ? Real{1} : Real{0};
            rows[2 * features + f] = static_cast<Real>(gap(observed, place));
            finite = finite && is_finite(rows[2 * features + f]);
        }
    }
    return finite;
}

template <class Real>
template <class Given>
bool StepEncoder<Real>::encode_scaled(const Given* x, std::int64_t n, Real* rows) const {
    const std::size_t features = encoding_.mean.size();
    bool finite = true;
    for (std::int64_t i = 0; i < n; ++i, x += features, rows += features) {
        for (std::size_t f = 0; f < features; ++f) {
            const double value = (static_cast<double>(x[f]) - encoding_.mean[f]) / encoding_.scale[f];
            rows[f] = static_cast<Real>(value);
            finite &= is_finite(rows[f]);
        }
        if (finite || encoding_.missing == Missing::error) continue;
        finite = true;
        for (std::size_t f = 0; f < features; ++f) {
            if (std::isnan(rows[f])) rows[f] = static_cast<Real>(encoding_.fill[f]);
            finite = finite && is_finite(rows[f]) && !std::isinf(x[f]);
        }
        if (!finite) return false;
    }
    return finite;
}

template <class Real>
double StepEncoder<Real>::fill_forward(double value, const Place& place) {
    return staged_value_[place.staged] = std::isnan(value) ? value_[place.remembered] : value;
}

template <class Real>
double StepEncoder<Real>::gap(bool observed, const Place& place) {
    const TimeBits since = place.first ? place.time : since_[place.remembered];
    staged_since_[place.staged] = observed ? place.time : since;
    return difference(place.time, since) / unit_;
}

template <class Real>
bool StepEncoder<Real>::times_fit(const std::int64_t* streams, std::int64_t n, const TimeBits* times,
                                  const std::int64_t* n_steps) const {
    if (encoding_.time != GapTime::given) return true;
    for (std::int64_t i = 0; i < n; ++i) {
        const auto stream = static_cast<std::size_t>(streams == nullptr ? i : streams[i]);
        if (!integers_ && !is_finite(std::bit_cast<double>(times[i]))) return false;
        if (n_steps[stream] == 0) continue;
        const bool back = integers_ ? times[i] < time_[stream]
                                    : std::bit_cast<double>(times[i]) < std::bit_cast<double>(time_[stream]);
        if (back) return false;
    }
    return true;
}

// Of integers modulo 2^64, which is exact however far apart they are.
template <class Real>
double StepEncoder<Real>::difference(TimeBits later, TimeBits earlier) const {
    if (!integers_) return std::bit_cast<double>(later) - std::bit_cast<double>(earlier);
    return static_cast<double>(static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier));
}

template <class Real>
void StepEncoder<Real>::remember(const std::int64_t* streams, std::int64_t n, const TimeBits* times) {
    const auto features = static_cast<std::ptrdiff_t>(encoding_.mean.size());
    const auto keep = [&](const auto& staged, auto& kept, std::int64_t i, std::int64_t stream) {
        if (!kept.empty()) std::copy_n(staged.begin() + i * features, features, kept.begin() + stream * features);
    };
    if (!encoding_.fills_forward()) return;
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t stream = streams == nullptr ? i : streams[i];
        keep(staged_value_, value_, i, stream);
        keep(staged_since_, since_, i, stream);
        if (!time_.empty()) time_[static_cast<std::size_t>(stream)] = times[i];
    }
}

#define GRULEARN_STEP_ENCODER(Real)                                                                            \
    template class StepEncoder<Real>;                                                                          \
    template bool StepEncoder<Real>::encode(const float*, const std::int64_t*, std::int64_t, const TimeBits*,  \
                                            const std::int64_t*, Real*);                                       \
    template bool StepEncoder<Real>::encode(const double*, const std::int64_t*, std::int64_t, const TimeBits*, \
                                            const std::int64_t*, Real*)
GRULEARN_STEP_ENCODER(float);
GRULEARN_STEP_ENCODER(double);

}  // namespace grulearn
