// One cell over sequences too long to keep all their states: in segments of steps, each from where the last one ended.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cell_pass.hpp"
#include "input_stage.hpp"

namespace grulearn {

// Runs a direction of a network's only layer. The bits are those of a whole pass.
template <class Real>
class SegmentedPass {
public:
    SegmentedPass(const Network<Real>& network, std::int64_t direction, const BatchPlan& whole,
                  const SequencesView<Real>& sequences, int n_jobs)
        : cell_{&network, 0, direction}, whole_(whole), sequences_(sequences), n_jobs_(n_jobs), inputs_(network) {}

    // Calls consume(plan, states, begin) after each segment: its row i is that of the whole plan, from step `begin` on
    // (in the direction's order); states are (row-steps, H) of the segment's plan.
    template <class Consume>
    void run(const Consume& consume) {
        const std::int64_t hidden = cell_.network->config().hidden_size;
        for (std::int64_t begin = 0, steps = 0; begin < whole_.steps; begin += steps) {
            steps = take(begin);
            const RowSpace<Real> states{states_.resize(plan_.row_steps() * hidden), hidden, RowOrder::time, nullptr};
            const LayerInputs<Real> inputs = inputs_.forward(plan_, sequences_, n_jobs_);
            const Real* before = begin == 0 ? nullptr : before_.data();
            const CellData<Real> data{&plan_, inputs.rows, states, before, inputs.gaps};
            forward_cell<Real>(cell_, data, nullptr, n_jobs_);
            if (before_.size() == 0) before_.resize(plan_.rows * hidden);
            for (std::int64_t i = 0; i < plan_.rows; ++i) {
                const std::int64_t last = plan_.length[static_cast<std::size_t>(i)] - 1;
                std::copy_n(states.at(plan_, i, cell_.position(plan_, i, last)), hidden, before_.data() + i * hidden);
            }
            consume(plan_, states, begin);
        }
    }

private:
    // Makes the plan of the segment from `begin` on; returns its number of steps.
    std::int64_t take(std::int64_t begin) {
        constexpr std::int64_t kRowSteps = std::int64_t{1} << 15;
        const std::int64_t rows = whole_.active[static_cast<std::size_t>(begin)];
        const std::int64_t steps = std::max<std::int64_t>(1, kRowSteps / rows / kPoolBlock) * kPoolBlock;
        starts_.resize(static_cast<std::size_t>(rows));
        lengths_.resize(starts_.size());
        order_.resize(starts_.size());
        std::iota(order_.begin(), order_.end(), 0);
        for (std::size_t i = 0; i < starts_.size(); ++i) {
            lengths_[i] = std::min(steps, whole_.length[i] - begin);
            const std::int64_t skipped = cell_.direction == 0 ? begin : whole_.length[i] - begin - lengths_[i];
            starts_[i] = whole_.start[i] + skipped;
        }
        SequencePositions positions = sequences_;
        positions.starts = starts_;
        positions.lengths = lengths_;
        plan_.build(positions, order_);  // falling lengths stay as they are
        return steps;
    }

    Cell<Real> cell_;
    const BatchPlan& whole_;
    const SequencesView<Real>& sequences_;
    int n_jobs_;
    InputStage<Real> inputs_;
    BatchPlan plan_;
    std::vector<std::int64_t> starts_, lengths_, order_;
    Buffer<Real> states_, before_;
};

}  // namespace grulearn
