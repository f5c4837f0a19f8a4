// From a head's outputs back to the user's units: what they stand for, then the scale of the targets.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grulearn/buffer.hpp"
#include "grulearn/loss_config.hpp"

namespace grulearn {

template <class Real>
struct KernelTable;

struct DecodingConfig {
    std::int64_t outputs = 1;  // O
    LossConfig loss;
    // Of each target: a mean, a quantile or a rate becomes itself * scale + mean, a standard deviation itself * scale.
    // Both empty: as they are.
    std::vector<double> mean, scale;
};

// Computes in float64 whatever the network does: each row by itself, so that one row gives the bits of many.
class Decoding {
public:
    // isa: as for Network. Throws InvalidArgument unless outputs, loss and scale fit together.
    explicit Decoding(const DecodingConfig& config, std::string_view isa = {});

    [[nodiscard]] std::int64_t outputs() const { return outputs_; }

    // outputs and values (rows, O): means, quantiles, rates, mean and standard deviation in turn, or probabilities.
    template <class Real>
    void run(const Real* outputs, std::int64_t rows, double* values) const;

    // Which of a row's values are predictions, one for each target: the quantile nearest to 1/2, the mean.
    [[nodiscard]] const std::vector<std::int64_t>& predictions() const { return predictions_; }

    // What a row of outputs (O) of cross_entropy says: the likeliest class, the first of several. Of any other loss:
    // which outputs are positive, for binary_cross_entropy those that are more likely than not. From the outputs
    // themselves: their probabilities may be equal after rounding.
    [[nodiscard]] std::int64_t n_decisions() const { return loss_ == Loss::cross_entropy ? 1 : outputs_; }
    template <class Real>
    void decide(const Real* outputs, std::int64_t* decisions) const;

private:
    const KernelTable<double>* kernels_;
    std::int64_t outputs_;
    Loss loss_;
    std::int64_t levels_, anchor_;       // pinball
    std::vector<double> factor_, added_;  // of each output; empty: 1 and 0
    std::vector<std::int64_t> predictions_;
};

}  // namespace grulearn
