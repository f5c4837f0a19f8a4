// One cell (a layer in one direction) over a batch: all steps forward, all steps backward.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../kernels/kernels.hpp"
#include "batch_plan.hpp"
#include "grulearn/buffer.hpp"
#include "grulearn/network.hpp"
#include "thread_pool.hpp"

namespace grulearn {

// A cell and the data around it. Row spaces hold one row per position.
template <class Real>
struct Cell {
    const Network<Real>* network = nullptr;
    std::int64_t layer = 0, direction = 0;

    [[nodiscard]] std::int64_t index() const { return layer * network->config().directions() + direction; }
    [[nodiscard]] CellShape shape() const;
    [[nodiscard]] std::int64_t padded_hidden() const { return shape().panels * network->kernels().width; }
    [[nodiscard]] std::int64_t position(const BatchPlan& plan, std::int64_t row, std::int64_t step) const {
        return direction == 0 ? step : plan.length[static_cast<std::size_t>(row)] - 1 - step;
    }
};

template <class Real>
struct CellData {
    const BatchPlan* plan = nullptr;
    RowSpace<Real> inputs;     // F scalars a row
    RowSpace<Real> states;     // this cell's H columns
    const Real* h0 = nullptr;  // (N, H) in the batch's order, or null

    // Pointers to the inputs / states / previous states of rows [begin, end) at a step.
    void input_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                    const Real** out) const;
    void state_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end, Real** out) const;
    // false: there is no previous state (first step, no h0)
    bool previous_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                       const Real** out) const;
};

// Rows that one thread takes through all steps at a time: whole tiles of any instruction set, few enough that every
// thread gets some. The results do not depend on it.
constexpr std::int64_t kMaxGroup = 64;
std::int64_t group_size(std::int64_t rows, int threads);

// body(begin, end) for blocks of rows, cut by the number of rows alone.
template <class Body>
void for_row_blocks(int threads, std::int64_t rows, const Body& body) {
    parallel_for(threads, (rows + kMaxGroup - 1) / kMaxGroup,
                 [&](std::int64_t block, int) { body(block * kMaxGroup, std::min(rows, (block + 1) * kMaxGroup)); });
}

// Into how many shards of rows a sum over them is cut, each with a sum of its own, when the result is so small that
// adding the shards costs little: a thread then sums what it has just made and what is in its cache (with one sum for
// all, two threads were no faster than one on 506 rows and 32 units). By the data's shape only; a power of two, as
// numbers of threads often are.
constexpr std::int64_t shards_of(std::int64_t rows, std::int64_t result_size) {
    constexpr std::int64_t kShardRows = 128, kMaxShards = 8, kMaxResult = 32 * 1024;
    std::int64_t shards = 1;
    while (shards < kMaxShards && 2 * shards * kShardRows <= rows && result_size <= kMaxResult) shards *= 2;
    return shards;
}

// Threads worth waking for so many multiply-adds: waking one costs about as much as 250,000 of them.
int worthwhile_threads(int n_jobs, std::int64_t multiply_adds);
std::int64_t multiply_adds(const CellShape& shape, std::int64_t row_steps);

// gates: row-steps * slots * padded hidden scalars to save for the backward pass, or null: inference.
template <class Real>
void forward_cell(const Cell<Real>& cell, const CellData<Real>& data, Real* gates, int n_jobs);

// Gradients of one vector for each row of the plan: that of row i at base + place[i] * stride (place null: i).
template <class Real>
struct RowGradients {
    const Real* base = nullptr;  // null: all zero
    std::int64_t stride = 0;
    const std::int64_t* place = nullptr;

    [[nodiscard]] const Real* at(std::int64_t i) const { return base + (place == nullptr ? i : place[i]) * stride; }
};

template <class Real>
struct CellGradients {
    Real* gates = nullptr;            // in: as saved; out: gate gradients
    RowSpace<Real> d_states;          // gradients of the states as outputs; base null: none
    RowGradients<Real> final_states;  // of this cell
    Real* carry = nullptr;            // [rows][padded hidden] scratch; out: the gradient of h0, if wanted
    bool want_h0 = false;
    Real* d_parameters = nullptr;  // packed, of the whole network, added to
    const Real* u_t = nullptr;  // U transposed (kernels.hpp)
    const Real* u_t_candidate = nullptr;
};

// Scratch of backward passes, reused from one to the next.
template <class Real>
struct BackwardScratch {
    Buffer<Real> reset_states, shards;
    std::vector<const Real*> inputs, previous, resets;  // by row-step of a chunk
};

template <class Real>
void backward_cell(const Cell<Real>& cell, const CellData<Real>& data, const CellGradients<Real>& gradients,
                   BackwardScratch<Real>& scratch, int n_jobs);

// d_inputs (one row per position) = or += gate gradients * W.
template <class Real>
void input_gradient_of_cell(const Cell<Real>& cell, const BatchPlan& plan, const Real* gates, const Real* w_t,
                            const RowSpace<Real>& d_inputs, bool add, int n_jobs);

}  // namespace grulearn
