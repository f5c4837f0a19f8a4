// What stands between the states of a recording and the loss: the head, its gradient, and that of the states.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grulearn/training.hpp"
#include "pooling.hpp"
#include "recording.hpp"
#include "targets.hpp"

namespace grulearn {

// Of a part of a batch, with the memory it needs, kept from one to the next. The head reads "items": a vector for each
// row of the plan, or per_step one for each row-step.
template <class Real>
class HeadWorker {
public:
    explicit HeadWorker(const Network<Real>& network) : network_(network), pooling_(network) {}

    // Loss of the plan's rows after recording.forward; adds the gradients of the head's parameters.
    LossSum run(const BatchPlan& plan, const Recording<Real>& recording, const Targets<Real>& targets,
                std::span<const std::int64_t> batch, const PlanMasks<Real>* masks, Real* gradients, int n_jobs);

    // The gradients of that loss by the states.
    [[nodiscard]] typename Recording<Real>::OutputGradients state_gradients() const;

private:
    // What a run works on.
    struct Run {
        const BatchPlan& plan;
        const Recording<Real>& recording;
        const Targets<Real>& targets;
        std::span<const std::int64_t> batch;
        const PlanMasks<Real>* masks;  // null: nothing is dropped
        std::int64_t items;

        [[nodiscard]] bool drops() const { return masks != nullptr && masks->drops(); }
    };

    [[nodiscard]] bool pools() const { return network_.config().pool != Pool::last; }
    void resize(const Run& run);
    void collect_items(const Run& run, std::int64_t begin, std::int64_t end);
    void collect_finals(const Run& run, std::int64_t begin, std::int64_t end);
    void drop_items(const Run& run, std::int64_t begin, std::int64_t end);
    void drop_gradients(std::int64_t begin, std::int64_t end);
    LossSum run_items(const Run& run, std::int64_t begin, std::int64_t end);
    void take_targets(const Run& run, std::int64_t begin, std::int64_t end);
    LossSum loss_and_slope(const Run& run, std::int64_t begin, std::int64_t end);
    void add_weight_gradients(const Run& run, Real* gradients) const;

    const Network<Real>& network_;
    std::vector<const Real*> items_;          // what the head reads
    Pooling<Real> pooling_;
    Buffer<Real> vectors_, d_items_, slopes_;  // slopes: outputs, then derivatives by them
    Buffer<Real> factors_, dropped_;           // (items, D * H) with dropout: its factors, and their products
    Buffer<Real> d_states_;                    // of all steps, where all are pooled
    Buffer<Real> wanted_, weights_, scratch_;
    std::vector<std::int64_t> classes_;
    std::vector<LossSum> losses_;  // by block of items
};

}  // namespace grulearn
