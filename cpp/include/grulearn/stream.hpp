// Sequences whose steps arrive one at a time: what a prediction on all steps so far would give, for the work of one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "grulearn/decoding.hpp"
#include "grulearn/network.hpp"
#include "grulearn/step_encoding.hpp"

namespace grulearn {

struct StreamConfig {
    std::int64_t n_streams = 1;
    StepEncoding encoding;
    LossConfig loss;
    std::vector<double> target_mean, target_scale;  // as in DecodingConfig
    int n_jobs = 1;
};

// What one step brings: features of n streams, and what else the network needs.
struct StepData {
    std::int64_t n = 0;
    const std::int64_t* streams = nullptr;  // (n) different ones; null: the first n
    const float* single = nullptr;          // (n, F) of either precision, the other null
    const double* dbl = nullptr;
    const std::int32_t* codes = nullptr;  // (n, C) of the network's tables, each within its own
    const TimeBits* times = nullptr;      // (n) for GapTime::given
};

template <class Real>
class StepEncoder;

// Streams of one network, each with a state of its own. The network must outlive them, and its parameters must not
// change. Not for several threads at once.
template <class Real>
class Stream {
public:
    // Throws InvalidArgument for a network that needs the end of a sequence, or sizes that do not fit.
    Stream(const Network<Real>& network, const StreamConfig& config);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    [[nodiscard]] std::int64_t size() const { return n_streams_; }
    [[nodiscard]] const Network<Real>& network() const { return network_; }
    [[nodiscard]] const StepEncoding& encoding() const;
    [[nodiscard]] const Decoding& decoding() const { return decoding_; }

    // What the times of GapTime::given are, and how many ticks make a gap of 1.
    void set_clock(bool integers, double unit);

    // False, and nothing has changed, if a feature or what is made of it is not finite, or a time is before that of the
    // stream's step before. Allocates nothing.
    [[nodiscard]] bool step(const StepData& data);

    // What the latest step gave, (n, O): the head's outputs, and what they stand for.
    [[nodiscard]] const Real* outputs() const { return outputs_.data(); }
    [[nodiscard]] const double* values() const { return values_.data(); }

    // Whether a step of n streams takes longer than giving the interpreter away and taking it back.
    [[nodiscard]] bool is_long(std::int64_t n) const { return n * multiply_adds_ > kLong; }

    // (n_streams) how many steps each has had.
    [[nodiscard]] const std::vector<std::int64_t>& n_steps() const { return n_steps_; }

    // Back to before the first step.
    void reset(std::int64_t stream);

    // Everything that is carried, to be read and to be set.
    [[nodiscard]] std::vector<CarriedArray> state();

private:
    static constexpr std::int64_t kLong = 1'000'000;  // multiply-adds: some 30 us

    // Rows [begin, end) of a step, which are encoded.
    void advance(const StepData& data, std::int64_t begin, std::int64_t end);
    void advance_states(const StepData& data, std::int64_t begin, std::int64_t end);
    // What the head reads of a stream: its last state, or that pooled with those before.
    const Real* pooled(std::int64_t stream, Real* vector);
    [[nodiscard]] Real* state_of(std::int64_t layer, std::int64_t stream) {
        return hidden_.data() + (layer * n_streams_ + stream) * network_.config().hidden_size;
    }

    const Network<Real>& network_;
    Decoding decoding_;
    std::int64_t n_streams_;
    int n_jobs_;
    std::int64_t multiply_adds_;  // of a step of one stream
    std::unique_ptr<StepEncoder<Real>> encoder_;
    Buffer<Real> hidden_;                 // (L, n_streams, H)
    std::vector<std::int64_t> n_steps_;   // (n_streams)
    Buffer<Real> running_, block_;        // (n_streams, H) of mean and max: see pooled
    Buffer<Real> rows_, gathered_, vectors_, outputs_;  // scratch of a step
    Buffer<double> values_;
};

}  // namespace grulearn
