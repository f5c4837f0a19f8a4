// The losses that train a head. The kernels include this too: no code here.
#pragma once

namespace grulearn {

// Of one target y and its outputs a; equations/losses.py states each.
enum class Loss {
    squared_error,         // (a - y)^2
    absolute_error,        // |a - y|
    huber,                 // quadratic up to delta, linear beyond
    pinball,               // several quantiles, which cannot cross
    poisson,               // half the deviance, for log-rates
    gaussian,              // negative log-likelihood of a mean and a scale
    cross_entropy,         // of class numbers, for logits
    binary_cross_entropy,  // of targets from 0 to 1, for logits
};

}  // namespace grulearn
