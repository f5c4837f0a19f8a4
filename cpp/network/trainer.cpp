#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>

#include "batch_worker.hpp"
#include "carried_batch.hpp"
#include "grulearn/errors.hpp"
#include "grulearn/training.hpp"
#include "targets.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

// Thrown and caught in here, where nothing is half done.
struct OutOfTime {};

// Asks whether to stop, at least every 20 ms, and looks at the time.
class Poller {
public:
    Poller(bool (*poll)(), double seconds)
        : poll_(poll), limited_(std::isfinite(seconds)), seconds_(limited_ ? std::max(seconds, 0.0) : 0.0) {}

    // made: whether there was a step already.
    void operator()(bool made) {
        if (poll_ == nullptr && !limited_) return;
        const Clock::time_point now = Clock::now();
        if (limited_ && made && std::chrono::duration<double>(now - begin_).count() >= seconds_) throw OutOfTime();
        if (poll_ == nullptr || now < next_) return;
        if (poll_()) throw Interrupted();
        next_ = Clock::now() + kEvery;
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kEvery{20};
    bool (*poll_)();
    bool limited_;
    double seconds_;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point next_ = begin_ + kEvery;
};

void check_bptt(const NetworkConfig& config, std::int64_t bptt) {
    if (bptt < 0) {
        throw InvalidArgument("bptt must be at least 1, or 0 for whole sequences, got " + std::to_string(bptt));
    }
    if (bptt == 0) return;
    if (config.bidirectional) {
        throw InvalidArgument(
            "bptt needs bidirectional=False: the reverse direction begins at the end of a sequence, "
            "so that its states cannot be carried from one segment to the next");
    }
    if (!config.per_step && config.pool != Pool::last) {
        throw InvalidArgument(
            "bptt needs pool 'last', or a target for each step: another pooling reads the states of "
            "all segments at once");
    }
}

void check_rate(const char* name, double rate) {
    if (rate >= 0.0 && rate < 1.0) return;
    throw InvalidArgument(std::string(name) + " must be at least 0 and below 1, got " + std::to_string(rate));
}

}  // namespace

template <class Real>
Trainer<Real>::Trainer(Network<Real>& network, const SequencesView<Real>& sequences, const TargetsView<Real>& targets,
                       const TrainerConfig& config)
    : network_(network),
      sequences_(sequences),
      batch_size_(std::min(config.batch_size, std::max<std::int64_t>(sequences.size(), 1))),
      n_jobs_(config.n_jobs),
      bptt_(config.bptt),
      optimizer_(config.optimizer),
      starts_(sequences.starts.begin(), sequences.starts.end()),
      lengths_(sequences.lengths.begin(), sequences.lengths.end()),
      identity_(static_cast<std::size_t>(sequences.size())),
      masks_(std::make_unique<MaskSource>(MaskSource{config.dropout, 0, starts_})),
      worker_(std::make_unique<BatchWorker<Real>>(network, config.n_jobs, config.checkpoint_steps)) {
    sequences_.starts = starts_;
    sequences_.lengths = lengths_;
    check(sequences_, network.config());
    if (network.config().output_size == 0) {
        throw InvalidArgument("training needs a head: the network's output_size is 0");
    }
    check_bptt(network.config(), bptt_);
    check_rate("dropout", config.dropout.rate);
    check_rate("recurrent_dropout", config.dropout.recurrent_rate);
    if (bptt_ > 0) carried_ = std::make_unique<CarriedBatch<Real>>(network, config.n_jobs);
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
    check_rate("average_decay", optimizer_.average_decay);
    if (optimizer_.average_decay > 0.0) average_.resize_zeroed(size);
}

template <class Real>
Trainer<Real>::~Trainer() = default;

template <class Real>
std::int64_t Trainer<Real>::batches(std::span<const std::int64_t> order) const {
    const auto count = static_cast<std::int64_t>(order.empty() ? identity_.size() : order.size());
    return (count + batch_size_ - 1) / batch_size_;
}

template <class Real>
std::span<const std::int64_t> Trainer<Real>::batch_of(std::span<const std::int64_t> order, std::int64_t b) const {
    const std::span<const std::int64_t> all = order.empty() ? std::span<const std::int64_t>(identity_) : order;
    const auto from = static_cast<std::size_t>(b * batch_size_);
    return all.subspan(from, std::min(static_cast<std::size_t>(batch_size_), all.size() - from));
}

template <class Real>
std::int64_t Trainer<Real>::segments_of(std::span<const std::int64_t> batch) const {
    if (bptt_ == 0) return 1;
    std::int64_t longest = 0;
    for (const std::int64_t i : batch) {
        if (i < 0 || i >= sequences_.size()) {
            throw InvalidArgument("sequence " + std::to_string(i) + " asked for, but there are " +
                                  std::to_string(sequences_.size()));
        }
        longest = std::max(longest, lengths_[static_cast<std::size_t>(i)]);
    }
    return longest == 0 ? 1 : (longest - 1) / bptt_ + 1;
}

template <class Real>
std::int64_t Trainer<Real>::updates(std::span<const std::int64_t> order) const {
    const std::int64_t count = batches(order);
    if (bptt_ == 0 || !network_.config().per_step) return count;
    std::int64_t sum = 0;
    for (std::int64_t b = 0; b < count; ++b) sum += segments_of(batch_of(order, b));
    return sum;
}

template <class Real>
std::size_t Trainer<Real>::run_epoch(std::span<const std::int64_t> order, double learning_rate,
                                     std::span<double> losses, std::span<double> weights, bool (*poll)(),
                                     double seconds) {
    Poller poller(poll, seconds);
    std::fill(losses.begin(), losses.end(), 0.0);
    std::fill(weights.begin(), weights.end(), 0.0);
    std::size_t update = 0;
    const auto look = [&] { poller(update > 0); };
    const auto make_step = [&](const LossSum& sum) {
        if (sum.weight > 0.0) {
            losses[update] = sum.loss / sum.weight;
            if (!weights.empty()) weights[update] = sum.weight * targets_->scale();
            apply_scaled(learning_rate, sum.weight, gradients_.data());
        }
        ++update;
        look();
    };
    std::size_t first = 0;  // update of the batch
    try {
        for (std::int64_t b = 0; b < batches(order); ++b) {
            const std::span<const std::int64_t> batch = batch_of(order, b);
            update = first;
            accumulate_scaled(batch, make_step, look);
            first += network_.config().per_step ? static_cast<std::size_t>(segments_of(batch)) : 1;
        }
    } catch (const OutOfTime&) {
        first = update;
    }
    ++masks_->epoch;
    return first;
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
template <class AfterSegment, class Poll>
void Trainer<Real>::accumulate_scaled(std::span<const std::int64_t> batch, const AfterSegment& after_segment,
                                      Poll& poll) {
    const FlushDenormals flush;
    const std::span<const std::int64_t> counting = that_count(batch);
    if (counting.empty()) return after_segment(LossSum{});
    if (segments_of(counting) > 1) return run_segments(counting, after_segment, poll);
    worker_->plan(sequences_, counting);
    const bool same_again = batch.data() == identity_.data() && batch.size() == identity_.size();
    if (same_again) worker_->keep_plan(counting.data());
    after_segment(worker_->run(sequences_, *targets_, counting, gradients_.data(), source()));
}

template <class Real>
template <class AfterSegment, class Poll>
void Trainer<Real>::run_segments(std::span<const std::int64_t> batch, const AfterSegment& after_segment, Poll& poll) {
    carried_->begin(sequences_, batch);
    const auto accumulate_segment = [&] {
        worker_->plan(carried_->segment());
        return worker_->run(sequences_, *targets_, batch, gradients_.data(), source(), carried_->states());
    };
    if (!network_.config().per_step) {
        while (carried_->next_before_ends(bptt_)) {
            carried_->pass(source());
            poll();
        }
        carried_->ends(bptt_);
        return after_segment(accumulate_segment());
    }
    std::int64_t end = 0;  // of the steps that count
    for (const std::int64_t i : batch) {
        end = std::max(end, targets_->end_of_counting(i, 0, lengths_[static_cast<std::size_t>(i)]));
    }
    while (carried_->next(bptt_, end)) {
        if (segment_counts(batch)) {
            after_segment(accumulate_segment());
        } else {
            carried_->pass(source());
            after_segment(LossSum{});
        }
    }
}

template <class Real>
bool Trainer<Real>::segment_counts(std::span<const std::int64_t> batch) const {
    const BatchPlan& segment = carried_->segment();
    for (std::size_t row = 0; row < segment.length.size(); ++row) {
        const std::int64_t i = batch[static_cast<std::size_t>(segment.sequence[row])];
        const std::int64_t begin = segment.first_step;
        if (targets_->end_of_counting(i, begin, begin + segment.length[row]) > begin) return true;
    }
    return false;
}

template <class Real>
LossSum Trainer<Real>::accumulate(std::span<const std::int64_t> batch) {
    LossSum sum;
    const auto add = [&](const LossSum& segment) {
        sum.loss += segment.loss;
        sum.weight += segment.weight;
    };
    const auto never = [] {};
    accumulate_scaled(batch, add, never);
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
    const bool averages = average_.size() > 0;
    if (averages) ++averaged_steps_;
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
            if (!averages) return;
            const auto keep = static_cast<Real>(optimizer_.average_decay);
            const auto take = static_cast<Real>(1.0 - optimizer_.average_decay);
            network_.kernels().average({part.count, part.parameters, average_.data() + at, keep, take});
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

template <class Real>
void Trainer<Real>::check_averages() const {
    if (average_.size() == 0) throw InvalidArgument("no average of the parameters is kept: average_decay is 0");
}

template <class Real>
void Trainer<Real>::averaged_parameters(Real* canonical) const {
    check_averages();
    if (averaged_steps_ == 0) return network_.get_parameters(canonical);
    network_.to_canonical(average_.data(), canonical);
    const double missing = std::pow(optimizer_.average_decay, static_cast<double>(averaged_steps_));
    const double correction = 1.0 / (1.0 - missing);
    for (std::int64_t i = 0; i < network_.layout().canonical_size; ++i) {
        canonical[i] = static_cast<Real>(canonical[i] * correction);
    }
}

template <class Real>
void Trainer<Real>::average_state(Real* canonical) const {
    check_averages();
    network_.to_canonical(average_.data(), canonical);
}

template <class Real>
void Trainer<Real>::set_average_state(const Real* canonical, std::int64_t steps) {
    check_averages();
    if (steps < 0) throw InvalidArgument("n_steps must be at least 0, got " + std::to_string(steps));
    const std::int64_t size = network_.layout().canonical_size;
    if (!std::all_of(canonical, canonical + size, [](Real value) { return std::isfinite(value); })) {
        throw InvalidArgument("the average must be finite");
    }
    network_.to_packed(canonical, average_.data());
    averaged_steps_ = steps;
}

template <class Real>
const MaskSource* Trainer<Real>::source() const {
    const DropoutConfig& dropout = masks_->dropout;
    const bool random = dropout.rate > 0.0 || dropout.recurrent_rate > 0.0 || network_.config().zoneout > 0.0;
    return random ? masks_.get() : nullptr;
}

template <class Real>
std::int64_t Trainer<Real>::epoch() const {
    return masks_->epoch;
}

template <class Real>
void Trainer<Real>::set_epoch(std::int64_t epoch) {
    if (epoch < 0) throw InvalidArgument("epoch must be at least 0, got " + std::to_string(epoch));
    masks_->epoch = epoch;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace grulearn
