#include "batch_worker.hpp"

#include <algorithm>
#include <numeric>

#include "thread_pool.hpp"

namespace grulearn {

template <class Real>
LossSum ShardWorker<Real>::run(const BatchPlan& plan, const SequencesView<Real>& sequences,
                               const Targets<Real>& targets, std::span<const std::int64_t> batch,
                               const TransposedWeights<Real>& transposed, Real* gradients,
                               std::vector<TableGradients<Real>>& tables, const CarriedStates<Real>& states,
                               const MaskSource* source, int n_jobs) {
    PlanMasks<Real>* masks = source == nullptr ? nullptr : &masks_;
    if (masks != nullptr) masks->begin(*source, plan, batch, states.before != nullptr);
    recording_.forward(plan, inputs_.forward(plan, sequences, n_jobs), states.before, masks, n_jobs);
    const LossSum loss = head_.run(plan, recording_, targets, batch, masks, gradients, n_jobs);
    typename Recording<Real>::InputGradients wanted;
    wanted.parameters = gradients;
    wanted.rows = inputs_.d_rows();
    wanted.first_column = inputs_.first_learned();
    wanted.n_columns = inputs_.end_learned() - wanted.first_column;
    recording_.backward(head_.state_gradients(), wanted, transposed, n_jobs);
    inputs_.backward(gradients, tables);
    if (states.after == nullptr) return loss;
    // Last, as the way back reads what they may replace.
    const NetworkConfig& config = network_.config();
    for (std::int64_t cell = 0; cell < config.cells(); ++cell) {
        recording_.final_states_of(cell / config.directions(), cell % config.directions(),
                                   states.after + cell * plan.batch_size * config.hidden_size, config.hidden_size,
                                   plan.sequence.data(), 0, plan.rows);
    }
    return loss;
}

namespace {

constexpr std::int64_t kMaxSums = 8;  // of gradients, which bounds the threads of small networks
// Bytes of a cell so small that W, U, U transposed and their gradients share the L2 with a shard's gates.
constexpr std::int64_t kSmallCell = 448 * 1024;

}  // namespace

template <class Real>
void BatchWorker<Real>::plan(const SequencesView<Real>& sequences, std::span<const std::int64_t> batch) {
    if (planned_ != nullptr && batch.data() == planned_ && batch.size() == static_cast<std::size_t>(whole_.rows))
        return;
    whole_.build(sequences, batch);
    cut();
}

template <class Real>
void BatchWorker<Real>::plan(const BatchPlan& part) {
    whole_ = part;
    cut();
}

template <class Real>
void BatchWorker<Real>::cut() {
    const std::int64_t rows = rows_of_a_shard();
    shards_.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, (whole_.rows + rows - 1) / rows)));
    for (std::size_t i = 0; i < shards_.size(); ++i) {
        const std::int64_t begin = static_cast<std::int64_t>(i) * rows;
        shards_[i].slice(whole_, begin, std::min(begin + rows, whole_.rows));
    }
    planned_ = nullptr;
}

template <class Real>
std::int64_t BatchWorker<Real>::largest_cell() const {
    std::int64_t largest = 0;
    for (const CellLayout& cell : network_.layout().cells) largest = std::max(largest, cell.size);
    return largest * static_cast<std::int64_t>(sizeof(Real));
}

template <class Real>
bool BatchWorker<Real>::uneven() const {
    return 10 * whole_.row_steps() < 9 * whole_.rows * whole_.steps;
}

template <class Real>
std::int64_t BatchWorker<Real>::rows_of_a_shard() const {
    constexpr std::int64_t kTile = 8;               // rows of the largest tile
    constexpr std::int64_t kMaxGates = 512 * 1024;  // bytes of saved gates that stay in the L2
    constexpr std::int64_t kMinRowSteps = 128;      // for which adding to dW and dU is worth its while
    const std::int64_t total = whole_.row_steps();
    if (total == 0) return std::max<std::int64_t>(1, whole_.rows);
    // Weights from beyond the L2 are read once a step for all rows of a shard: then it needs many. Shards of unequal
    // length must be more, or the one with the longest rows keeps all others waiting.
    if (largest_cell() > kSmallCell) {
        const std::int64_t tiles = largest_cell() > 2 * 1024 * 1024 ? 8 : 4;
        return (uneven() ? tiles / 2 : tiles) * kTile;
    }
    const std::int64_t even = total / kMaxSums;
    const auto gates = static_cast<std::int64_t>(4 * sizeof(Real)) * network_.config().hidden_size;
    const std::int64_t wanted = std::max(kMinRowSteps, std::min(even, kMaxGates / gates));
    const std::int64_t rows = (wanted * whole_.rows + total - 1) / total;
    return (rows + kTile - 1) / kTile * kTile;
}

template <class Real>
LossSum BatchWorker<Real>::run(const SequencesView<Real>& sequences, const Targets<Real>& targets,
                               std::span<const std::int64_t> batch, Real* gradients, const MaskSource* source,
                               const CarriedStates<Real>& states) {
    const auto shards = static_cast<std::int64_t>(shards_.size());
    const std::int64_t size = network_.layout().dense_size;
    const std::int64_t work = 3 * whole_.row_steps() * size;  // multiply-adds, about
    // Each sum that another core has made costs its way through the caches.
    constexpr std::int64_t kWorkOfASum = 3'000'000;
    const std::int64_t sums = std::min(shards, std::clamp<std::int64_t>(work / kWorkOfASum, 1, kMaxSums));
    const int all = worthwhile_threads(n_jobs_, work);
    // Fewer shards than threads: one shard after the other, with all threads, if its steps have work for them.
    const bool together = sums < all && (shards == 1 || largest_cell() > kSmallCell);
    const int threads = together ? 1 : all;
    partial_.resize((sums - 1) * size);
    losses_.assign(static_cast<std::size_t>(shards), LossSum{});
    table_gradients_.resize(static_cast<std::size_t>(shards));
    while (workers_.size() < static_cast<std::size_t>(threads)) {
        workers_.push_back(std::make_unique<ShardWorker<Real>>(network_, checkpoint_steps_));
    }
    order_.clear();
    if (threads > 1 && uneven()) order_ = dealt_to_and_fro(sums, threads);
    // With one step from a state of zero U takes no part.
    const bool recurrent = whole_.steps > 1 || states.before != nullptr;
    transposed_.update(network_, recurrent, network_.config().prepares_inputs());
    parallel_for(threads, sums, [&](std::int64_t item, int thread) {
        const std::int64_t sum = order_.empty() ? item : order_[static_cast<std::size_t>(item)];
        Real* own = sum == 0 ? gradients : partial_.data() + (sum - 1) * size;
        if (sum > 0) std::fill_n(own, size, Real{0});
        ShardWorker<Real>& worker = *workers_[static_cast<std::size_t>(thread)];
        for (std::int64_t i = shards * sum / sums; i < shards * (sum + 1) / sums; ++i) {
            const auto at = static_cast<std::size_t>(i);
            losses_[at] = worker.run(shards_[at], sequences, targets, batch, transposed_, own, table_gradients_[at],
                                     states, source, together ? n_jobs_ : 1);
        }
    });
    for_parameter_blocks(worthwhile_threads(n_jobs_, sums * size), size, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t sum = 1; sum < sums; ++sum) {
            const Real* from = partial_.data() + (sum - 1) * size;
            for (std::int64_t i = begin; i < end; ++i) gradients[i] += from[i];
        }
    });
    add_table_gradients<Real>(network_, table_gradients_, gradients, n_jobs_);
    return std::accumulate(losses_.begin(), losses_.end(), LossSum{}, [](const LossSum& a, const LossSum& b) {
        return LossSum{a.loss + b.loss, a.weight + b.weight};
    });
}

template class ShardWorker<float>;
template class BatchWorker<float>;
template class ShardWorker<double>;
template class BatchWorker<double>;

}  // namespace grulearn
