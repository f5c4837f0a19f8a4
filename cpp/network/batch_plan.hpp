// A batch of sequences as the kernels see it: sorted by falling length, so that at each step the running rows are the
// first ones, and addressed by row pointers, so that nothing is padded or copied.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "grulearn/views.hpp"

namespace grulearn {

// A step of a pass and a row that runs at it.
struct RowStep {
    std::int64_t step, row;
};

// One batch. "Row i" is the i-th longest sequence; "position" counts steps in the sequence, "step" the steps of a pass
// over it: the same forward, length - 1 - position in reverse. Row-step (step t, row i) has the number offset[t] + i.
struct BatchPlan {
    std::int64_t rows = 0;
    std::int64_t steps = 0;                   // of the longest sequence
    std::vector<std::int64_t> sequence;       // [rows] which sequence of the batch a row is
    std::vector<std::int64_t> start, length;  // [rows] into the data's rows
    std::vector<std::int64_t> output_start;   // [rows] where its outputs begin when sequences follow one another
    std::vector<std::int64_t> active;         // [steps + 1] rows still running at a step; 0 at the end
    std::vector<std::int64_t> offset;         // [steps + 1] row-steps before a step
    std::int64_t batch_size = 0;              // sequences of the whole batch, also where a plan is a part of it
    std::int64_t first_step = 0;              // of steps_of: where its steps begin in their sequences

    [[nodiscard]] std::int64_t row_steps() const { return offset.back(); }

    // batch: indices of sequences, in the caller's order; checked.
    void build(const SequencePositions& sequences, std::span<const std::int64_t> batch);

    // Rows [begin, end) of another plan as a plan of their own; `sequence` still counts in the whole batch.
    void slice(const BatchPlan& whole, std::int64_t begin, std::int64_t end);

    // Steps [begin, end) of another plan's sequences, without those that have ended before; begin is below its `steps`.
    void steps_of(const BatchPlan& whole, std::int64_t begin, std::int64_t end);
    // The last n steps of each sequence, or all steps but those.
    void ends_of(const BatchPlan& whole, std::int64_t n);
    void all_but_ends_of(const BatchPlan& whole, std::int64_t n);

    // The row-step of a number, and the one after it.
    [[nodiscard]] RowStep row_step(std::int64_t number) const {
        const auto after = std::upper_bound(offset.begin(), offset.end(), number);
        return {after - offset.begin() - 1, number - *(after - 1)};
    }
    [[nodiscard]] RowStep next(RowStep at) const {
        return at.row + 1 < active[static_cast<std::size_t>(at.step)] ? RowStep{at.step, at.row + 1}
                                                                      : RowStep{at.step + 1, 0};
    }

private:
    void count_active();  // from `length`
};

// The order of a matrix with one row for each position of each sequence.
enum class RowOrder {
    sequence,  // as starts[i] + position: the caller's arrays
    time,      // as offset[position] + i: internal arrays
    ring,      // only the two latest positions: (position % 2) * rows + i
};

// Where its rows stand.
template <class Real>
struct RowSpace {
    Real* base = nullptr;
    std::int64_t stride = 0;
    RowOrder order = RowOrder::time;
    const std::int64_t* starts = nullptr;  // for RowOrder::sequence, by row

    [[nodiscard]] Real* at(const BatchPlan& plan, std::int64_t row, std::int64_t position) const {
        const auto i = static_cast<std::size_t>(row);
        switch (order) {
            case RowOrder::sequence: return base + (starts[i] + position) * stride;
            case RowOrder::time: return base + (plan.offset[static_cast<std::size_t>(position)] + row) * stride;
            case RowOrder::ring: return base + (position % 2 * plan.rows + row) * stride;
        }
        return nullptr;
    }
};

// The inputs of a batch where the caller keeps them. They are only read; one type of row space serves both directions.
template <class Real>
RowSpace<Real> caller_rows(const BatchPlan& plan, const SequencesView<Real>& sequences) {
    return {const_cast<Real*>(sequences.rows), sequences.n_features, RowOrder::sequence, plan.start.data()};
}

}  // namespace grulearn
