// What the network reads of a step, from the user's features.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "grulearn/errors.hpp"

namespace grulearn {

// (x - mean) / scale in float64, then rounded: the bits of encoding/scaling.py.
template <class Real>
class StepEncoder {
public:
    StepEncoder(std::int64_t n_features, const std::vector<double>& mean, const std::vector<double>& scale)
        : mean_(mean), scale_(scale) {
        const auto wanted = static_cast<std::size_t>(n_features);
        if (mean.size() != wanted || scale.size() != wanted) {
            throw InvalidArgument("mean and scale must have one value for each of the " + std::to_string(n_features) +
                                  " features, got " + std::to_string(mean.size()) + " and " +
                                  std::to_string(scale.size()));
        }
    }

    // x and rows (n, F). Whether all rows are finite.
    template <class Given>
    [[nodiscard]] bool encode(const Given* x, std::int64_t n, Real* rows) const {
        constexpr Real kLargest = std::numeric_limits<Real>::max();
        const std::size_t features = mean_.size();
        bool finite = true;
        for (std::int64_t row = 0; row < n; ++row, x += features, rows += features) {
            for (std::size_t f = 0; f < features; ++f) {
                rows[f] = static_cast<Real>((static_cast<double>(x[f]) - mean_[f]) / scale_[f]);
                finite &= std::abs(rows[f]) <= kLargest;
            }
        }
        return finite;
    }

private:
    std::vector<double> mean_, scale_;
};

}  // namespace grulearn
