#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "grulearn/errors.hpp"
#include "grulearn/training.hpp"
#include "recording.hpp"
#include "thread_pool.hpp"

namespace grulearn {

// Forward, loss and backward of one batch, with the memory they need, kept from batch to batch.
template <class Real>
class BatchWorker {
public:
    BatchWorker(const Network<Real>& network, int n_jobs)
        : network_(network), n_jobs_(n_jobs), recording_(network, n_jobs) {}

    void plan(const SequencesView<Real>& sequences, std::span<const std::int64_t> batch) {
        // The full batch comes again every epoch, from the same memory.
        if (batch.data() == planned_ && batch.size() == static_cast<std::size_t>(plan_.rows)) return;
        plan_.build(sequences, batch);
        planned_ = nullptr;
    }
    void keep_plan(const std::int64_t* batch) { planned_ = batch; }

    LossSum run(const SequencesView<Real>& sequences, const Real* targets, std::span<const std::int64_t> batch,
                Real* gradients) {
        const NetworkConfig& config = network_.config();
        recording_.forward(plan_, caller_rows(plan_, sequences), nullptr);
        const LossSum loss = head(targets, batch, gradients);
        typename Recording<Real>::OutputGradients given;
        given.final_states = {d_finals_.data(), config.state_size(), nullptr};
        given.first_cell = (config.num_layers - 1) * config.directions();
        given.cell_stride = config.hidden_size;
        typename Recording<Real>::InputGradients wanted;
        wanted.parameters = gradients;
        recording_.backward(given, wanted);
        return loss;
    }

private:
    // Predictions, the sum of squared errors, and their gradients down to the final states; all by row of the plan, in
    // blocks whose sums do not depend on the number of threads.
    LossSum head(const Real* targets, std::span<const std::int64_t> batch, Real* gradients) {
        const NetworkConfig& config = network_.config();
        const std::int64_t inputs = config.state_size();
        const std::int64_t outputs = config.output_size;
        final_rows_.resize(static_cast<std::size_t>(plan_.rows));
        finals_.resize(plan_.rows * inputs);
        errors_.resize(plan_.rows * outputs);
        d_finals_.resize(plan_.rows * inputs);
        losses_.assign(static_cast<std::size_t>(plan_.rows), 0.0);
        // As many threads as the top layer had: each then finds its own rows in its cache.
        const Cell<Real> top{&network_, config.num_layers - 1, 0};
        const int threads = worthwhile_threads(n_jobs_, multiply_adds(top.shape(), plan_.row_steps()));
        Real* weight_gradient = gradients + network_.layout().head_weight;
        Real* bias_gradient = gradients + network_.layout().head_bias;
        const std::int64_t size = outputs * (inputs + 1);
        const std::int64_t shards = shards_of(plan_.rows, size);
        if (shards == 1) {
            for_row_blocks(threads, plan_.rows,
                           [&](std::int64_t begin, std::int64_t end) { head_rows(targets, batch, begin, end); });
            head_gradient(0, plan_.rows, weight_gradient, bias_gradient);
        } else {
            Real* partial = shards_.resize_zeroed(shards * size);
            parallel_for(threads, shards, [&](std::int64_t shard, int) {
                const std::int64_t begin = plan_.rows * shard / shards;
                const std::int64_t end = plan_.rows * (shard + 1) / shards;
                head_rows(targets, batch, begin, end);
                head_gradient(begin, end, partial + shard * size, partial + shard * size + outputs * inputs);
            });
            for (std::int64_t shard = 0; shard < shards; ++shard) {
                const Real* from = partial + shard * size;
                for (std::int64_t i = 0; i < outputs * inputs; ++i) weight_gradient[i] += *from++;
                for (std::int64_t i = 0; i < outputs; ++i) bias_gradient[i] += *from++;
            }
        }
        return {std::accumulate(losses_.begin(), losses_.end(), 0.0), static_cast<double>(plan_.rows * outputs)};
    }

    // Adds the gradient of the head's parameters from rows [begin, end).
    void head_gradient(std::int64_t begin, std::int64_t end, Real* dw, Real* db) {
        const std::int64_t inputs = network_.config().state_size();
        const std::int64_t outputs = network_.config().output_size;
        HeadWeightGradient<Real> weight;
        weight.rows = end - begin;
        weight.inputs = inputs;
        weight.outputs = outputs;
        weight.x = final_rows_.data() + begin;
        weight.d_out = errors_.data() + begin * outputs;
        weight.dw = dw;
        weight.db = db;
        network_.kernels().head_weight_gradient(weight);
    }

    // Pointers to the final states of rows [begin, end): where they stand, or for two directions copied together.
    void collect_finals(std::int64_t begin, std::int64_t end) {
        const NetworkConfig& config = network_.config();
        const std::int64_t top = config.num_layers - 1;
        const RowSpace<Real> states = recording_.states(top);
        for (std::int64_t i = begin; i < end; ++i) {
            const auto row = static_cast<std::size_t>(i);
            const std::int64_t length = plan_.length[row];
            if (length > 0 && config.directions() == 1) {
                final_rows_[row] = states.at(plan_, i, length - 1);
                continue;
            }
            final_rows_[row] = finals_.data() + i * config.state_size();
            for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
                recording_.final_states_of(top, direction, finals_.data() + direction * config.hidden_size,
                                           config.state_size(), nullptr, i, i + 1);
            }
        }
    }

    // The part of the head that is independent for each row.
    void head_rows(const Real* targets, std::span<const std::int64_t> batch, std::int64_t begin, std::int64_t end) {
        const NetworkConfig& config = network_.config();
        const std::int64_t inputs = config.state_size();
        const std::int64_t outputs = config.output_size;
        const std::int64_t rows = end - begin;
        collect_finals(begin, end);
        const Real* w = network_.packed() + network_.layout().head_weight;
        Real* errors = errors_.data() + begin * outputs;
        HeadForward<Real> forward;
        forward.rows = rows;
        forward.inputs = inputs;
        forward.outputs = outputs;
        forward.x = final_rows_.data() + begin;
        forward.w = w;
        forward.b = network_.packed() + network_.layout().head_bias;
        forward.out = errors;
        network_.kernels().head_forward(forward);

        for (std::int64_t i = begin; i < end; ++i) {
            const auto row = static_cast<std::size_t>(i);
            const Real* target = targets + batch[static_cast<std::size_t>(plan_.sequence[row])] * outputs;
            for (std::int64_t o = 0; o < outputs; ++o, ++errors) {
                const Real error = *errors - target[o];
                losses_[row] += static_cast<double>(error) * error;
                *errors = 2 * error;
            }
        }

        HeadInputGradient<Real> backward;
        backward.rows = rows;
        backward.inputs = inputs;
        backward.outputs = outputs;
        backward.w = w;
        backward.d_out = forward.out;
        backward.dx = d_finals_.data() + begin * inputs;
        network_.kernels().head_input_gradient(backward);
    }

    const Network<Real>& network_;
    int n_jobs_;
    Recording<Real> recording_;
    BatchPlan plan_;
    const std::int64_t* planned_ = nullptr;
    std::vector<const Real*> final_rows_;
    Buffer<Real> finals_, d_finals_, errors_, shards_;
    std::vector<double> losses_;  // by row
};

namespace {

std::span<const std::int64_t> part(std::span<const std::int64_t> order, std::int64_t begin, std::int64_t size) {
    const auto from = static_cast<std::size_t>(begin);
    return order.subspan(from, std::min(static_cast<std::size_t>(size), order.size() - from));
}

}  // namespace

template <class Real>
Trainer<Real>::Trainer(Network<Real>& network, const SequencesView<Real>& sequences, const Real* targets,
                       std::int64_t batch_size, int n_jobs, const OptimizerConfig& optimizer)
    : network_(network),
      sequences_(sequences),
      targets_(targets),
      batch_size_(std::min(batch_size, std::max<std::int64_t>(sequences.size(), 1))),
      optimizer_(optimizer),
      starts_(sequences.starts.begin(), sequences.starts.end()),
      lengths_(sequences.lengths.begin(), sequences.lengths.end()),
      identity_(static_cast<std::size_t>(sequences.size())),
      worker_(std::make_unique<BatchWorker<Real>>(network, n_jobs)) {
    const NetworkConfig& config = network.config();
    sequences_.starts = starts_;
    sequences_.lengths = lengths_;
    check(sequences_, config.input_size);
    if (config.output_size == 0) throw InvalidArgument("training needs a head: the network's output_size is 0");
    if (batch_size < 1) throw InvalidArgument("batch_size must be at least 1, got " + std::to_string(batch_size));
    std::iota(identity_.begin(), identity_.end(), 0);
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
                              bool (*poll)()) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kPollEvery{20};
    const std::span<const std::int64_t> all = order.empty() ? std::span<const std::int64_t>(identity_) : order;
    auto next_poll = Clock::now() + kPollEvery;
    for (std::int64_t b = 0; b < batches(order); ++b) {
        const LossSum sum = accumulate(part(all, b * batch_size_, batch_size_));
        losses[static_cast<std::size_t>(b)] = sum.loss / sum.weight;
        apply(learning_rate, sum.weight);
        if (poll != nullptr && Clock::now() >= next_poll) {
            if (poll()) throw Interrupted();
            next_poll = Clock::now() + kPollEvery;
        }
    }
}

template <class Real>
LossSum Trainer<Real>::accumulate(std::span<const std::int64_t> batch) {
    const FlushDenormals flush;
    worker_->plan(sequences_, batch);
    if (batch.data() == identity_.data() && batch.size() == identity_.size()) worker_->keep_plan(batch.data());
    return worker_->run(sequences_, targets_, batch, gradients_.data());
}

template <class Real>
void Trainer<Real>::apply(double learning_rate, double weight, Real* gradients) {
    const FlushDenormals flush;
    if (!(weight > 0.0)) throw InvalidArgument("apply needs a positive weight, got " + std::to_string(weight));
    Real* from = gradients == nullptr ? gradients_.data() : gradients;
    double scale = 1.0 / weight;
    if (optimizer_.clip_norm > 0.0) {
        const double norm = std::sqrt(network_.kernels().sum_of_squares(from, network_.layout().packed_size)) * scale;
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
        step.count = segment.size;
        step.parameters = network_.packed() + segment.offset;
        step.gradients = from + segment.offset;
        step.first_moment = first_moment_.data() + segment.offset;
        step.second_moment = second_moment_.data() + segment.offset;
        step.decay_factor = segment.decays ? decay : Real{1};
        network_.kernels().adam(step);
    }
    if (gradients != nullptr) gradients_.resize_zeroed(network_.layout().packed_size);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace grulearn
