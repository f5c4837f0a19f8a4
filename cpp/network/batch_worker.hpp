// One batch of training: forward, head, loss and backward.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "grulearn/training.hpp"
#include "head_worker.hpp"
#include "input_stage.hpp"
#include "recording.hpp"

namespace grulearn {

// The states of all cells that a segment of steps begins with and leaves, [cell][sequence of the batch][H].
template <class Real>
struct CarriedStates {
    const Real* before = nullptr;  // null: zeros. No gradient passes to them
    Real* after = nullptr;         // null: not wanted; may be `before`
};

// Forward, loss and backward of a part of a batch, with the memory they need, kept from one to the next.
template <class Real>
class ShardWorker {
public:
    ShardWorker(const Network<Real>& network, std::int64_t checkpoint_steps)
        : network_(network), inputs_(network), masks_(network), recording_(network, checkpoint_steps), head_(network) {}

    // Adds the gradient of the sum of losses of the plan's rows, that of embeddings to `tables` instead; returns that
    // sum.
    LossSum run(const BatchPlan& plan, const SequencesView<Real>& sequences, const Targets<Real>& targets,
                std::span<const std::int64_t> batch, const TransposedWeights<Real>& transposed, Real* gradients,
                std::vector<TableGradients<Real>>& tables, const CarriedStates<Real>& states, const MaskSource* source,
                int n_jobs);

private:
    const Network<Real>& network_;
    InputStage<Real> inputs_;
    PlanMasks<Real> masks_;
    Recording<Real> recording_;
    HeadWorker<Real> head_;
};

// A batch cut into shards of rows: forward, head and backward of a shard find each other's results in the cache, and
// threads meet only once a batch. Cut by the shapes of data and network only.
template <class Real>
class BatchWorker {
public:
    BatchWorker(const Network<Real>& network, int n_jobs, std::int64_t checkpoint_steps)
        : network_(network), n_jobs_(n_jobs), checkpoint_steps_(checkpoint_steps) {}

    void plan(const SequencesView<Real>& sequences, std::span<const std::int64_t> batch);
    void plan(const BatchPlan& part);  // of a batch
    // The batch just planned comes again every epoch, from the same memory.
    void keep_plan(const std::int64_t* batch) { planned_ = batch; }

    // Adds the gradient of the sum of losses of what was planned. source null: no masks.
    LossSum run(const SequencesView<Real>& sequences, const Targets<Real>& targets, std::span<const std::int64_t> batch,
                Real* gradients, const MaskSource* source, const CarriedStates<Real>& states = {});

private:
    void cut();
    [[nodiscard]] std::int64_t largest_cell() const;  // bytes of parameters
    [[nodiscard]] bool uneven() const;                // lengths differ so much that shards do
    [[nodiscard]] std::int64_t rows_of_a_shard() const;

    const Network<Real>& network_;
    int n_jobs_;
    std::int64_t checkpoint_steps_;
    BatchPlan whole_;
    std::vector<BatchPlan> shards_;
    const std::int64_t* planned_ = nullptr;
    std::vector<std::unique_ptr<ShardWorker<Real>>> workers_;  // [thread]
    TransposedWeights<Real> transposed_;
    Buffer<Real> partial_;        // sums of gradients but the first, which has the caller's memory
    std::vector<LossSum> losses_;       // by shard
    std::vector<std::vector<TableGradients<Real>>> table_gradients_;  // [shard][table]
    std::vector<std::int64_t> order_;  // of the sums; empty: as they stand
};

}  // namespace grulearn
