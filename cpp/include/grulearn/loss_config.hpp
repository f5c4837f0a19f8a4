// A loss with its options, and what it makes of a head's outputs.
#pragma once

#include <cstdint>
#include <vector>

#include "grulearn/loss.hpp"

namespace grulearn {

struct LossConfig {
    Loss loss = Loss::squared_error;
    double delta = 1.0;             // huber: where it becomes linear
    std::vector<double> quantiles;  // pinball: rising, within (0, 1)

    // cross_entropy and binary_cross_entropy: the part of each target that is spread evenly over all classes, or over 0
    // and 1.
    double label_smoothing = 0.0;

    // Throws InvalidArgument unless delta, quantiles and label_smoothing are as they should be.
    void check() const;
    // Outputs that a target has (those of cross_entropy are one each: its number of classes is not known here), and
    // summands that it adds to the loss.
    [[nodiscard]] std::int64_t outputs_of_a_target() const;
    [[nodiscard]] std::int64_t terms_of_a_target() const;
    // Which of the quantiles is an output as it stands: the one nearest to 1/2.
    [[nodiscard]] std::int64_t anchor() const;
};

}  // namespace grulearn
