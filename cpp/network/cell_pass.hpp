// One cell (a layer in one direction) over a batch: all steps forward, all steps backward.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../kernels/kernels.hpp"
#include "batch_plan.hpp"
#include "gate_store.hpp"
#include "grulearn/buffer.hpp"
#include "grulearn/network.hpp"
#include "masks.hpp"
#include "thread_pool.hpp"

namespace grulearn {

// A cell and the data around it. Row spaces hold one row per position.
template <class Real>
struct Cell {
    const Network<Real>* network = nullptr;
    std::int64_t layer = 0, direction = 0;

    [[nodiscard]] std::int64_t index() const { return layer * network->config().directions() + direction; }
    [[nodiscard]] CellShape shape() const;
    [[nodiscard]] bool normalises() const { return network->config().layer_norm; }
    // Scalars that are kept of a row-step in one panel.
    [[nodiscard]] std::int64_t saved_unit() const {
        return (normalises() ? kNormSlots : shape().slots()) * network->kernels().width;
    }
    [[nodiscard]] std::int64_t padded_hidden() const { return shape().panels * network->kernels().width; }
    [[nodiscard]] std::int64_t position(const BatchPlan& plan, std::int64_t row, std::int64_t step) const {
        return direction == 0 ? step : plan.length[static_cast<std::size_t>(row)] - 1 - step;
    }
};

// What a layer reads: the inputs, and in layer 0 with decay the gaps by which its states fade (base null: they do not).
template <class Real>
struct LayerInputs {
    RowSpace<Real> rows, gaps;
};

template <class Real>
struct CellData {
    const BatchPlan* plan = nullptr;
    RowSpace<Real> inputs;     // F scalars a row
    RowSpace<Real> states;     // this cell's H columns
    const Real* h0 = nullptr;  // (N, H) in the batch's order, or null
    RowSpace<Real> gaps = {};  // base null: states do not fade
    // Kept for the way back, base null: not there. The states that enter each step, where they fade, and those that U
    // multiplies, where recurrent dropout takes some of them out.
    RowSpace<Real> faded = {}, masked = {};
    Real* scales = nullptr;  // with layer normalisation: [row-step][6], of NormStep; null: not kept
    const PlanMasks<Real>* masks = nullptr;  // null: nothing is dropped, and zoneout takes what it is expected to

    [[nodiscard]] bool fades() const { return gaps.base != nullptr; }
    [[nodiscard]] bool drops_recurrent() const { return masks != nullptr && masks->drops_recurrent(); }
    // Pointers to the inputs / states / previous states of rows [begin, end) at a step.
    void input_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                    const Real** out) const;
    void state_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end, Real** out) const;
    // false: there is no previous state (first step, no h0)
    bool previous_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                       const Real** out) const;
    // After the forward pass: as previous_rows, or faded; and what U multiplied.
    bool entering_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                       const Real** out) const;
    bool product_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                      const Real** out) const;
    // Pointers to the gaps of rows [begin, end), if states fade.
    void gap_rows(std::int64_t step, std::int64_t begin, std::int64_t end, const Real** out) const;
};

// How states of layer 0 fade, given the gaps [rows] of each.
template <class Real>
DecayStates<Real> decay_of_states(const Network<Real>& network, std::int64_t rows, const Real* const* gaps);

// Rows that one thread takes through all steps at a time: whole tiles of any instruction set, few enough that every
// thread gets some. The results do not depend on it.
constexpr std::int64_t kMaxGroup = 64;
std::int64_t group_size(const CellShape& shape, const BatchPlan& plan, int threads);

// The order in which parallel_for should take items that get lighter from first to last (rows are sorted by length), so
// that the parts it gives to threads weigh about the same: dealt to and fro. One long part would leave the other
// threads waiting for its last item: 12 to 16 % of the time with 4 to 8 items on two threads.
std::vector<std::int64_t> dealt_to_and_fro(std::int64_t items, int threads);

// body(begin, end) for blocks of rows, cut by the number of rows alone.
template <class Body>
void for_row_blocks(int threads, std::int64_t rows, const Body& body) {
    parallel_for(threads, (rows + kMaxGroup - 1) / kMaxGroup,
                 [&](std::int64_t block, int) { body(block * kMaxGroup, std::min(rows, (block + 1) * kMaxGroup)); });
}

// The same for runs of parameters.
constexpr std::int64_t kParameterBlock = std::int64_t{1} << 15;
template <class Body>
void for_parameter_blocks(int threads, std::int64_t size, const Body& body) {
    parallel_for(threads, (size + kParameterBlock - 1) / kParameterBlock, [&](std::int64_t block, int) {
        body(block * kParameterBlock, std::min(size, (block + 1) * kParameterBlock));
    });
}

// How many threads share the panels of every step rather than the rows: more than one where there are too few rows for
// all threads, and the cell is so large that its weights, cut in parts, are read from several caches at once.
int team_size(const CellShape& shape, std::int64_t rows, int threads);
StepPart team_part(const CellShape& shape, const Team& team, int thread);

// Asks for memory that another core has just written: all of it at once, instead of a wait for each line in turn.
template <class Real>
void fetch(const Real* from, std::int64_t count) {
    constexpr std::int64_t kLine = 64 / sizeof(Real);
    for (std::int64_t i = 0; i < count; i += kLine) __builtin_prefetch(from + i);
}

// Threads worth waking for so many multiply-adds: waking one costs about as much as 250,000 of them.
int worthwhile_threads(int n_jobs, std::int64_t multiply_adds);
std::int64_t multiply_adds(const CellShape& shape, std::int64_t row_steps);

// gates null, or not keeping all: inference. Otherwise all gates are kept.
template <class Real>
void forward_cell(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>* gates, int n_jobs);

// The gates of steps [begin, end) once more, from the states of all steps, as the forward pass made them.
template <class Real>
void remake_gates(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>& gates, std::int64_t begin,
                  std::int64_t end, int n_jobs);

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
    GateStore<Real> gates;  // in: as saved; out: gate gradients
    RowSpace<Real> d_states;  // gradients of the states as outputs; base null: none
    RowGradients<Real> final_states;  // of this cell
    Real* carry = nullptr;  // [panel][rows][V] scratch; out: the gradient of h0, if wanted
    bool want_h0 = false;
    Real* d_parameters = nullptr;  // packed, of the whole network, added to
    const Real* u_t = nullptr;  // U transposed (kernels.hpp)
    const Real* u_t_candidate = nullptr;
    const Real* w_t = nullptr;
    RowSpace<Real> d_inputs;  // = or += gate gradients * W, one row per position; base null: not wanted
    std::int64_t first_input = 0, n_inputs = 0;  // of those that are wanted; others may be written as well
    bool add_to_inputs = false;
};

// Scratch of backward passes, reused from one to the next.
template <class Real>
struct BackwardScratch {
    Buffer<Real> reset_states;
    Buffer<Real> bypass;  // see BypassRows
    Buffer<Real> norm;  // with layer normalisation: d_gates, d_inputs and d_states of NormGradient, of a chunk
    Buffer<Real> d_rates;  // of decay, (row-steps of a chunk, padded H)
    std::vector<const Real*> inputs, previous, resets, gaps;  // by row-step of a chunk
};

template <class Real>
void backward_cell(const Cell<Real>& cell, const CellData<Real>& data, const CellGradients<Real>& gradients,
                   BackwardScratch<Real>& scratch, int n_jobs);

}  // namespace grulearn
