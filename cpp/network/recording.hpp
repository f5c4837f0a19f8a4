// A batch through the whole network, forward with everything kept, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "cell_pass.hpp"

namespace grulearn {

// States of all layers of a batch. Layers below the top keep every position; `top` says where the top layer's go.
template <class Real>
void forward_layers(const Network<Real>& network, const BatchPlan& plan, const RowSpace<Real>& rows, const Real* h0,
                    const RowSpace<Real>& top, std::vector<Buffer<Real>>& states, std::vector<Buffer<Real>>* gates,
                    int n_jobs);

// Final states of one cell, `states` being those of its layer: that of row i goes to out + place[i] * stride (place
// null: i). A sequence without steps keeps its h0 (null: zeros).
template <class Real>
void final_states(const Cell<Real>& cell, const BatchPlan& plan, const RowSpace<Real>& states, const Real* h0,
                  Real* out, std::int64_t stride, const std::int64_t* place, std::int64_t begin, std::int64_t end);

template <class Real>
class Recording {
public:
    Recording(const Network<Real>& network, int n_jobs) : network_(network), n_jobs_(n_jobs) {}

    void forward(const BatchPlan& plan, const RowSpace<Real>& rows, const Real* h0);

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
        Real* h0 = nullptr;  // [cell][N][H]; null: not wanted
    };
    void backward(const OutputGradients& given, const InputGradients& wanted);

private:
    void backward_one_cell(const Cell<Real>& cell, const RowSpace<Real>& d_states,
                           const RowGradients<Real>& final_states, const InputGradients& wanted);
    void transpose_recurrent(const Cell<Real>& cell);
    const Real* transpose_input(const Cell<Real>& cell);

    const Network<Real>& network_;
    int n_jobs_;
    const BatchPlan* plan_ = nullptr;
    RowSpace<Real> rows_;
    const Real* h0_ = nullptr;
    std::vector<Buffer<Real>> states_;  // [layer]
    std::vector<Buffer<Real>> gates_;  // [cell]
    Buffer<Real> d_states_[2];  // of a layer and of the one below
    Buffer<Real> carry_, u_t_, u_t_candidate_, w_t_;
    BackwardScratch<Real> scratch_;
};

}  // namespace grulearn
