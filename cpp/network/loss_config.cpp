#include "grulearn/loss_config.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "grulearn/errors.hpp"

namespace grulearn {

void LossConfig::check() const {
    const bool of_labels = loss == Loss::cross_entropy || loss == Loss::binary_cross_entropy;
    if (!(label_smoothing >= 0.0 && label_smoothing < 1.0)) {
        throw InvalidArgument("label_smoothing must be at least 0 and below 1, got " + std::to_string(label_smoothing));
    }
    if (label_smoothing > 0.0 && !of_labels) {
        throw InvalidArgument("label_smoothing is for the losses cross_entropy and binary_cross_entropy");
    }
    if (!(delta > 0.0)) throw InvalidArgument("delta must be positive, got " + std::to_string(delta));
    if (loss != Loss::pinball) return;
    if (quantiles.empty()) throw InvalidArgument("loss 'pinball' needs quantiles, and none are given");
    double before = 0.0;
    for (const double level : quantiles) {
        if (!(level > before && level < 1.0)) {
            throw InvalidArgument("quantiles must rise and lie between 0 and 1, got " + std::to_string(level) +
                                  " after " + std::to_string(before));
        }
        before = level;
    }
}

std::int64_t LossConfig::outputs_of_a_target() const {
    if (loss == Loss::pinball) return static_cast<std::int64_t>(quantiles.size());
    return loss == Loss::gaussian ? 2 : 1;
}

std::int64_t LossConfig::terms_of_a_target() const {
    return loss == Loss::pinball ? static_cast<std::int64_t>(quantiles.size()) : 1;
}

std::int64_t LossConfig::anchor() const {
    const auto nearer = [](double a, double b) { return std::abs(a - 0.5) < std::abs(b - 0.5); };
    return std::min_element(quantiles.begin(), quantiles.end(), nearer) - quantiles.begin();
}

}  // namespace grulearn
