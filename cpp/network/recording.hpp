// A batch through the whole network, forward with everything kept, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "cell_pass.hpp"

namespace grulearn {

// What the way back needs beside the states.
template <class Real>
struct RecordedStates {
    std::vector<GateStore<Real>> gates;  // [cell]
    RowSpace<Real> faded;                // see CellData
    std::vector<RowSpace<Real>> masked;  // [cell] likewise
    std::vector<Real*> scales;           // [cell] likewise
};

// States of all layers of a batch. Layers below the top keep every position; `top` says where the top layer's go.
// masks null: nothing is dropped.
template <class Real>
void forward_layers(const Network<Real>& network, const BatchPlan& plan, const LayerInputs<Real>& inputs,
                    const Real* h0, const RowSpace<Real>& top, std::vector<Buffer<Real>>& states,
                    const RecordedStates<Real>* recorded, PlanMasks<Real>* masks, int n_jobs);

// Final states of one cell, `states` being those of its layer: that of row i goes to out + place[i] * stride (place
// null: i). A sequence without steps keeps its h0 (null: zeros).
template <class Real>
void final_states(const Cell<Real>& cell, const BatchPlan& plan, const RowSpace<Real>& states, const Real* h0,
                  Real* out, std::int64_t stride, const std::int64_t* place, std::int64_t begin, std::int64_t end);

// U and W of all cells transposed, as the backward pass reads them: made once for all parts of a batch.
template <class Real>
class TransposedWeights {
public:
    struct CellWeights {
        Buffer<Real> u, u_candidate, w;
    };

    // recurrent: U takes part; inputs: the gradient of the network's inputs is wanted as well.
    void update(const Network<Real>& network, bool recurrent, bool inputs);
    [[nodiscard]] const CellWeights& of(const Cell<Real>& cell) const {
        return cells_[static_cast<std::size_t>(cell.index())];
    }

private:
    std::vector<CellWeights> cells_;
};

template <class Real>
class Recording {
public:
    // checkpoint_steps: see Chunks::cut.
    Recording(const Network<Real>& network, std::int64_t checkpoint_steps)
        : network_(network), checkpoint_steps_(checkpoint_steps) {}

    // masks must live until backward.
    void forward(const BatchPlan& plan, const LayerInputs<Real>& inputs, const Real* h0, PlanMasks<Real>* masks,
                 int n_jobs);

    // States of a layer, (row-steps, D * H) in time order.
    [[nodiscard]] RowSpace<Real> states(std::int64_t layer) const;
    // Final states of one cell, as final_states above.
    void final_states_of(std::int64_t layer, std::int64_t direction, Real* out, std::int64_t stride,
                         const std::int64_t* place, std::int64_t begin, std::int64_t end) const;

    struct OutputGradients {
        RowSpace<Real> outputs;  // of the top layer's states; base null: none
        // Of the final states of the cells from first_cell on; those of the next cell stand cell_stride scalars on.
        RowGradients<Real> final_states;
        std::int64_t first_cell = 0, cell_stride = 0;

        [[nodiscard]] RowGradients<Real> of(const Cell<Real>& cell) const;
    };
    struct InputGradients {
        Real* parameters = nullptr;  // packed, added to
        RowSpace<Real> rows;  // base null: not wanted
        std::int64_t first_column = 0, n_columns = 0;  // of those rows that are
        Real* h0 = nullptr;  // [cell][N][H]; null: not wanted
    };
    void backward(const OutputGradients& given, const InputGradients& wanted, const TransposedWeights<Real>& transposed,
                  int n_jobs);

private:
    void resize_masked();
    void resize_scales();
    // What reaches a cell and leaves it, but for its initial state.
    [[nodiscard]] CellGradients<Real> gradients_of(const Cell<Real>& cell, const OutputGradients& given,
                                                   const InputGradients& wanted,
                                                   const TransposedWeights<Real>& transposed);
    void initial_state_gradient(const Cell<Real>& cell, Real* d_h0) const;

    const Network<Real>& network_;
    std::int64_t checkpoint_steps_;
    const BatchPlan* plan_ = nullptr;
    LayerInputs<Real> inputs_;
    const Real* h0_ = nullptr;
    const PlanMasks<Real>* masks_ = nullptr;
    Chunks chunks_;
    std::vector<Buffer<Real>> states_;  // [layer]
    std::vector<Buffer<Real>> gates_;  // [cell]; with checkpoints one for all
    RecordedStates<Real> recorded_;
    Buffer<Real> faded_;  // (row-steps, H) of layer 0
    std::vector<Buffer<Real>> masked_;  // [cell] (row-steps, H)
    std::vector<Buffer<Real>> scales_;  // [cell] (row-steps, 6)
    Buffer<Real> d_states_[2];  // of a layer and of the one below
    Buffer<Real> carry_;
    BackwardScratch<Real> scratch_;
};

}  // namespace grulearn
