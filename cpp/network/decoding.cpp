#include "grulearn/decoding.hpp"

#include <algorithm>
#include <string>

#include "../kernels/dispatch.hpp"
#include "grulearn/errors.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

void check(const DecodingConfig& config) {
    config.loss.check();
    const bool classes = config.loss.loss == Loss::cross_entropy;
    const std::int64_t each = config.loss.outputs_of_a_target();
    if (config.outputs < (classes ? 2 : 1) || config.outputs % each != 0) {
        throw InvalidArgument("the loss needs " +
                              (classes ? "an output for each of at least 2 classes"
                                       : "at least one target, with " + std::to_string(each) + " output(s) each") +
                              ", and there are " + std::to_string(config.outputs) + " outputs");
    }
    if (config.scale.empty() && config.mean.empty()) return;
    if (classes || config.loss.loss == Loss::binary_cross_entropy) {
        throw InvalidArgument("probabilities have no scale: leave mean and scale out");
    }
    const std::int64_t targets = config.outputs / each;
    for (const auto* values : {&config.mean, &config.scale}) {
        if (static_cast<std::int64_t>(values->size()) != targets) {
            throw InvalidArgument(std::string(values == &config.mean ? "mean" : "scale") + " must have " +
                                  std::to_string(targets) + " value(s), one for each target, got " +
                                  std::to_string(values->size()));
        }
    }
}

}  // namespace

Decoding::Decoding(const DecodingConfig& config, std::string_view isa)
    : kernels_(&kernels<double>(isa)),
      outputs_(config.outputs),
      loss_(config.loss.loss),
      levels_(static_cast<std::int64_t>(config.loss.quantiles.size())),
      anchor_(levels_ > 0 ? config.loss.anchor() : 0) {
    check(config);
    const std::int64_t each = config.loss.outputs_of_a_target();
    for (std::int64_t o = anchor_; o < outputs_; o += each) predictions_.push_back(o);
    if (config.scale.empty()) return;
    for (std::int64_t o = 0; o < outputs_; ++o) {
        const auto target = static_cast<std::size_t>(o / each);
        const bool deviation = loss_ == Loss::gaussian && o % each == 1;
        factor_.push_back(config.scale[target]);
        added_.push_back(deviation ? 0.0 : config.mean[target]);
    }
}

template <class Real>
void Decoding::run(const Real* outputs, std::int64_t rows, double* values) const {
    const FlushDenormals flush;  // as threads of the pool do always
    std::copy_n(outputs, rows * outputs_, values);
    LinkRows<double> link;
    link.loss = loss_;
    link.rows = rows;
    link.outputs = outputs_;
    link.out = values;
    link.n_quantiles = levels_;
    link.anchor = anchor_;
    kernels_->link(link);
    if (factor_.empty()) return;
    for (std::int64_t row = 0; row < rows; ++row, values += outputs_) {
        for (std::size_t o = 0; o < factor_.size(); ++o) values[o] = values[o] * factor_[o] + added_[o];
    }
}

template <class Real>
void Decoding::decide(const Real* outputs, std::int64_t* decisions) const {
    if (loss_ == Loss::cross_entropy) {
        *decisions = std::max_element(outputs, outputs + outputs_) - outputs;
        return;
    }
    for (std::int64_t o = 0; o < outputs_; ++o) decisions[o] = outputs[o] > 0 ? 1 : 0;
}

template void Decoding::run(const float*, std::int64_t, double*) const;
template void Decoding::run(const double*, std::int64_t, double*) const;
template void Decoding::decide(const float*, std::int64_t*) const;
template void Decoding::decide(const double*, std::int64_t*) const;

}  // namespace grulearn
