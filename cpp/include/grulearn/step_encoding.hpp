// How a step's features, as a user has them, become the row that a network reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace grulearn {

// What is done about a feature that is NaN.
enum class Missing {
    error,    // it is refused
    mean,     // filled with the training mean
    forward,  // filled with the last value observed before in the sequence, before the first with the mean
    simple,   // as forward; masks and time gaps follow the values
    decay,    // the same, for a network that lets them decay
};

// What the gaps are differences of.
enum class GapTime { none, steps, given };

// The numbers of encoding/steps.py, which states what is made of them.
struct StepEncoding {
    std::vector<double> mean, scale, fill;  // [F]
    Missing missing = Missing::error;
    GapTime time = GapTime::none;

    [[nodiscard]] std::int64_t features() const { return static_cast<std::int64_t>(mean.size()); }
    [[nodiscard]] bool fills_forward() const { return missing >= Missing::forward; }
    [[nodiscard]] bool has_gaps() const { return time != GapTime::none; }
    [[nodiscard]] std::int64_t row_width() const { return (has_gaps() ? 3 : 1) * features(); }
};

// The times of a step, one for each stream: int64 ticks or float64, as the clock of the streams says, 8 bytes each.
using TimeBits = std::int64_t;

// An array of what streams carry from one step to the next, in C order.
struct CarriedArray {
    enum class Type { float32, float64, int64, time };

    std::string name;
    Type type;
    void* data;
    std::vector<std::int64_t> shape;
};

}  // namespace grulearn
