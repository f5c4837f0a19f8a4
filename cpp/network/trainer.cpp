#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>

#include "batch_worker.hpp"
#include "grulearn/errors.hpp"
#include "grulearn/training.hpp"
#include "targets.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

std::span<const std::int64_t> part(std::span<const std::int64_t> order, std::int64_t begin, std::int64_t size) {
    const auto from = static_cast<std::size_t>(begin);
    return order.subspan(from, std::min(static_cast<std::size_t>(size), order.size() - from));
}

}  // namespace

template <class Real>
Trainer<Real>::Trainer(Network<Real>& network, const SequencesView<Real>& sequences, const TargetsView<Real>& targets,
                       const TrainerConfig& config)
    : network_(network),
      sequences_(sequences),
      batch_size_(std::min(config.batch_size, std::max<std::int64_t>(sequences.size(), 1))),
      n_jobs_(config.n_jobs),
      optimizer_(config.optimizer),
      starts_(sequences.starts.begin(), sequences.starts.end()),
      lengths_(sequences.lengths.begin(), sequences.lengths.end()),
      identity_(static_cast<std::size_t>(sequences.size())),
      worker_(std::make_unique<BatchWorker<Real>>(network, config.n_jobs, config.checkpoint_steps)) {
    sequences_.starts = starts_;
    sequences_.lengths = lengths_;
    check(sequences_, network.config());
    if (network.config().output_size == 0) {
        throw InvalidArgument("training needs a head: the network's output_size is 0");
    }
    if (config.batch_size < 1) {
        throw InvalidArgument("batch_size must be at least 1, got " + std::to_string(config.batch_size));
    }
    targets_ = std::make_unique<Targets<Real>>(network.config(), sequences_, targets, config.loss);
    std::iota(identity_.begin(), identity_.end(), 0);
    std::copy_if(identity_.begin(), identity_.end(), std::back_inserter(identity_that_counts_),
                 [&](std::int64_t i) { return targets_->counts(i); });
    const std::int64_t size = network.layout().packed_size;
    gradients_.resize_zeroed(size);
    first_moment_.resize_zeroed(size);
    second_moment_.resize_zeroed(size);
}

template <class Real>
Trainer<Real>::~Trainer() = default;

template <class Real>
std::int64_t Trainer<Real>::batches(std::span<const std::int64_t> order) const {
    const auto count = static_cast<std::int64_t>(order.empty() ? identity_.size() : order.size());
    return (count + batch_size_ - 1) / batch_size_;
}

template <class Real>
void Trainer<Real>::run_epoch(std::span<const std::int64_t> order, double learning_rate, std::span<double> losses,
                              std::span<double> weights, bool (*poll)()) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kPollEvery{20};
    const std::span<const std::int64_t> all = order.empty() ? std::span<const std::int64_t>(identity_) : order;
    auto next_poll = Clock::now() + kPollEvery;
    for (std::int64_t b = 0; b < batches(order); ++b) {
        const LossSum sum = accumulate_scaled(part(all, b * batch_size_, batch_size_));
        const bool counts = sum.weight > 0.0;
        losses[static_cast<std::size_t>(b)] = counts ? sum.loss / sum.weight : 0.0;
        if (!weights.empty()) weights[static_cast<std::size_t>(b)] = sum.weight * targets_->scale();
        if (counts) apply_scaled(learning_rate, sum.weight, gradients_.data());
        if (poll != nullptr && Clock::now() >= next_poll) {
            if (poll()) throw Interrupted();
            next_poll = Clock::now() + kPollEvery;
        }
    }
}

// Sequences that count nothing are left out before anything is computed: whatever they hold cannot matter.
template <class Real>
std::span<const std::int64_t> Trainer<Real>::that_count(std::span<const std::int64_t> batch) {
    if (targets_->all_count()) return batch;
    if (batch.data() == identity_.data() && batch.size() == identity_.size()) return identity_that_counts_;
    batch_that_counts_.clear();
    for (const std::int64_t i : batch) {
        if (i < 0 || i >= sequences_.size() || targets_->counts(i)) batch_that_counts_.push_back(i);  // or is refused
    }
    return batch_that_counts_;
}

template <class Real>
LossSum Trainer<Real>::accumulate_scaled(std::span<const std::int64_t> batch) {
    const FlushDenormals flush;
    const std::span<const std::int64_t> counting = that_count(batch);
    if (counting.empty()) return {};
    worker_->plan(sequences_, counting);
    const bool same_again = batch.data() == identity_.data() && batch.size() == identity_.size();
    if (same_again) worker_->keep_plan(counting.data());
    return worker_->run(sequences_, *targets_, counting, gradients_.data());
}

template <class Real>
LossSum Trainer<Real>::accumulate(std::span<const std::int64_t> batch) {
    const LossSum sum = accumulate_scaled(batch);
    return {sum.loss * targets_->scale(), sum.weight * targets_->scale()};
}

template <class Real>
void Trainer<Real>::gradients(Real* canonical) const {
    network_.to_canonical(gradients_.data(), canonical);
    if (targets_->scale() == 1.0) return;
    const auto scale = static_cast<Real>(targets_->scale());
    for (std::int64_t i = 0; i < network_.layout().canonical_size; ++i) canonical[i] *= scale;
}

template <class Real>
double Trainer<Real>::sum_of_squares(const Real* values) const {
    const std::int64_t size = network_.layout().packed_size;
    std::vector<double> sums(static_cast<std::size_t>((size + kParameterBlock - 1) / kParameterBlock));
    for_parameter_blocks(worthwhile_threads(n_jobs_, size), size, [&](std::int64_t begin, std::int64_t end) {
        sums[static_cast<std::size_t>(begin / kParameterBlock)] =
            network_.kernels().sum_of_squares(values + begin, end - begin);
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}

template <class Real>
void Trainer<Real>::apply(double learning_rate, double weight, Real* gradients) {
    if (!(weight > 0.0)) throw InvalidArgument("apply needs a positive weight, got " + std::to_string(weight));
    if (gradients == nullptr) {
        apply_scaled(learning_rate, weight / targets_->scale(), gradients_.data());
    } else {
        apply_scaled(learning_rate, weight, gradients);
        gradients_.resize_zeroed(network_.layout().packed_size);
    }
}

// Takes a step with packed gradients of a sum of this weight, and clears them.
template <class Real>
void Trainer<Real>::apply_scaled(double learning_rate, double weight, Real* from) {
    const FlushDenormals flush;
    double scale = 1.0 / weight;
    if (optimizer_.clip_norm > 0.0) {
        const double norm = std::sqrt(sum_of_squares(from)) * scale;
        if (norm > optimizer_.clip_norm) scale *= optimizer_.clip_norm / (norm + 1e-6);  // 1e-6: as torch clips
    }
    ++steps_;
    const auto t = static_cast<double>(steps_);
    AdamStep<Real> step;
    step.gradient_scale = static_cast<Real>(scale);
    step.keep1 = static_cast<Real>(optimizer_.beta1);
    step.take1 = static_cast<Real>(1.0 - optimizer_.beta1);
    step.keep2 = static_cast<Real>(optimizer_.beta2);
    step.take2 = static_cast<Real>(1.0 - optimizer_.beta2);
    step.epsilon = static_cast<Real>(optimizer_.epsilon);
    step.step_size = static_cast<Real>(learning_rate / (1.0 - std::pow(optimizer_.beta1, t)));
    step.second_correction = static_cast<Real>(1.0 / std::sqrt(1.0 - std::pow(optimizer_.beta2, t)));
    const auto decay = static_cast<Real>(1.0 - learning_rate * optimizer_.weight_decay);
    for (const ParameterLayout::Segment& segment : network_.layout().segments) {
        const int threads = worthwhile_threads(n_jobs_, 8 * segment.size);
        for_parameter_blocks(threads, segment.size, [&](std::int64_t begin, std::int64_t end) {
            AdamStep<Real> part = step;
            const std::int64_t at = segment.offset + begin;
            part.count = end - begin;
            part.parameters = network_.packed() + at;
            part.gradients = from + at;
            part.first_moment = first_moment_.data() + at;
            part.second_moment = second_moment_.data() + at;
            part.decay_factor = segment.decays ? decay : Real{1};
            network_.kernels().adam(part);
        });
    }
}

template <class Real>
void Trainer<Real>::optimizer_state(Real* first_moment, Real* second_moment) const {
    network_.to_canonical(first_moment_.data(), first_moment);
    network_.to_canonical(second_moment_.data(), second_moment);
}

template <class Real>
void Trainer<Real>::set_optimizer_state(const Real* first_moment, const Real* second_moment, std::int64_t steps) {
    if (steps < 0) throw InvalidArgument("n_steps must be at least 0, got " + std::to_string(steps));
    for (std::int64_t i = 0; i < network_.layout().canonical_size; ++i) {
        if (!std::isfinite(first_moment[i]) || !std::isfinite(second_moment[i]) || second_moment[i] < 0) {
            throw InvalidArgument("moments must be finite and the second ones at least 0, got " +
                                  std::to_string(first_moment[i]) + " and " + std::to_string(second_moment[i]) +
                                  " at " + std::to_string(i));
        }
    }
    network_.to_packed(first_moment, first_moment_.data());
    network_.to_packed(second_moment, second_moment_.data());
    steps_ = steps;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace grulearn
