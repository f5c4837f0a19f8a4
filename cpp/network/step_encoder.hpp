// The rows that a network reads of steps, and what is remembered of the steps before.
#pragma once

#include <cstdint>
#include <vector>

#include "grulearn/step_encoding.hpp"

namespace grulearn {

// Encodes in two moves: first the rows, from what is remembered, which changes nothing and may be refused; then what
// these steps leave behind.
template <class Real>
class StepEncoder {
public:
    // Throws InvalidArgument if sizes do not fit.
    StepEncoder(const StepEncoding& encoding, std::int64_t n_streams);

    [[nodiscard]] const StepEncoding& encoding() const { return encoding_; }

    // What the times of GapTime::given are, and how many ticks make a gap of 1.
    void set_clock(bool integers, double unit);

    // x (n, F); streams (n), or null: the first n; times (n) for GapTime::given; n_steps [stream] had so far. rows (n,
    // row width), of which each number is finite; false if one is not, or a time is before the one before it.
    template <class Given>
    [[nodiscard]] bool encode(const Given* x, const std::int64_t* streams, std::int64_t n, const TimeBits* times,
                              const std::int64_t* n_steps, Real* rows);
    // Once, after encode, with the same arguments.
    void remember(const std::int64_t* streams, std::int64_t n, const TimeBits* times);

    void reset(std::int64_t stream);
    [[nodiscard]] std::vector<CarriedArray> carried();

private:
    // A feature at a step.
    struct Place {
        std::size_t remembered, staged;  // among those of all streams, and of this step
        TimeBits time;
        bool first;  // of its stream
    };

    template <class Given>
    [[nodiscard]] bool encode_scaled(const Given* x, std::int64_t n, Real* rows) const;
    [[nodiscard]] double fill_forward(double value, const Place& place);
    [[nodiscard]] double gap(bool observed, const Place& place);
    [[nodiscard]] bool times_fit(const std::int64_t* streams, std::int64_t n, const TimeBits* times,
                                 const std::int64_t* n_steps) const;
    [[nodiscard]] double difference(TimeBits later, TimeBits earlier) const;

    StepEncoding encoding_;
    std::int64_t n_streams_;
    bool integers_ = true;
    double unit_ = 1.0;
    // Remembered of each stream, and staged until a step is accepted: the last value observed of each feature, in the
    // network's units; the time that its next gap counts from; the time of the latest step.
    std::vector<double> value_, staged_value_;
    std::vector<TimeBits> since_, staged_since_, time_;
};

}  // namespace grulearn
