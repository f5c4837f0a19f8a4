// Sequences whose steps arrive one at a time: what a prediction on all steps so far would give, for the work of one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "grulearn/decoding.hpp"
#include "grulearn/network.hpp"

namespace grulearn {

struct StreamConfig {
    std::int64_t n_streams = 1;
    std::vector<double> mean, scale;  // of the features: the network reads (x - mean) / scale, formed in float64
    LossConfig loss;
    std::vector<double> target_mean, target_scale;  // as in DecodingConfig
    int n_jobs = 1;
};

// A part of what a stream carries from one step to the next: an array in C order, of which `shape` says the size.
template <class Real>
struct StreamArray {
    std::string name;
    std::variant<Real*, std::int64_t*> data;
    std::vector<std::int64_t> shape;
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
    [[nodiscard]] std::int64_t features() const { return network_.config().input_size; }
    [[nodiscard]] const Decoding& decoding() const { return decoding_; }

    // One step of n streams: x (n, F) of float or double; streams (n): different ones, null: the first n. False, and
    // nothing has changed, if a feature or what it is scaled to is not finite. Allocates nothing.
    template <class Given>
    [[nodiscard]] bool step(const Given* x, const std::int64_t* streams, std::int64_t n);

    // What the latest step gave, (n, O): the head's outputs, and what they stand for.
    [[nodiscard]] const Real* outputs() const { return outputs_.data(); }
    [[nodiscard]] const double* values() const { return values_.data(); }

    // Whether a step of n streams takes longer than giving the interpreter away and taking it back.
    [[nodiscard]] bool is_long(std::int64_t n) const { return n * multiply_adds_ > kLong; }

    // Back to before the first step.
    void reset(std::int64_t stream);

    // Everything that is carried, to be read and to be set.
    [[nodiscard]] std::vector<StreamArray<Real>> state();

private:
    static constexpr std::int64_t kLong = 1'000'000;  // multiply-adds: some 30 us

    // Rows [begin, end) of a step, whose inputs are encoded.
    void advance(const std::int64_t* streams, std::int64_t begin, std::int64_t end);
    void advance_states(const std::int64_t* streams, std::int64_t begin, std::int64_t end);
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
