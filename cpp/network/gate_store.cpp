#include "gate_store.hpp"

namespace grulearn {

void Chunks::cut(const BatchPlan& plan, std::int64_t hidden, std::int64_t checkpoint_steps) {
    // Row-steps of a chunk. More spread the cost of reading and writing dU; fewer keep the gates in the L2.
    const std::int64_t wanted = hidden <= 256 ? 192 : 256;
    chunks_.clear();
    of_step_.resize(static_cast<std::size_t>(plan.steps));
    segment_begins_.assign(1, 0);
    for (std::int64_t begin = 0; begin < plan.steps;) {
        if (checkpoint_steps > 0 && begin - segment_begins_.back() >= checkpoint_steps)
            segment_begins_.push_back(begin);
        std::int64_t end = begin;
        for (std::int64_t row_steps = 0; end < plan.steps && row_steps < wanted; ++end) {
            row_steps += plan.active[static_cast<std::size_t>(end)];
            of_step_[static_cast<std::size_t>(end)] = size();
        }
        chunks_.push_back({begin, end, static_cast<std::int64_t>(segment_begins_.size()) - 1});
        begin = end;
    }
    segment_begins_.push_back(plan.steps);
    largest_segment_ = 0;
    for (std::size_t i = 1; i < segment_begins_.size(); ++i) {
        const auto offset = [&](std::size_t at) { return plan.offset[static_cast<std::size_t>(segment_begins_[at])]; };
        largest_segment_ = std::max(largest_segment_, offset(i) - offset(i - 1));
    }
}

}  // namespace grulearn
