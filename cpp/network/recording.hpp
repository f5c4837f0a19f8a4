// A batch through the whole network, forward with everything kept, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "cell_pass.hpp"

namespace grulearn {

// States of all layers of a batch. Layers below the top keep every position; `top` says where the top layer's go.
void forward_layers(const Network& network, const BatchPlan& plan, const RowSpace& rows, const float* h0,
                    const RowSpace& top, std::vector<Buffer>& states, std::vector<Buffer>* gates, int n_jobs);

// Final states of one cell, `states` being those of its layer: that of row i goes to out + place[i] * stride (place
// null: i). A sequence without steps keeps its h0 (null: zeros).
void final_states(const Cell& cell, const BatchPlan& plan, const RowSpace& states, const float* h0, float* out,
                  std::int64_t stride, const std::int64_t* place, std::int64_t begin, std::int64_t end);

class Recording {
public:
    Recording(const Network& network, int n_jobs) : network_(network), n_jobs_(n_jobs) {}

    void forward(const BatchPlan& plan, const RowSpace& rows, const float* h0);

    // States of a layer, (row-steps, D * H) in time order.
    [[nodiscard]] RowSpace states(std::int64_t layer) const;
    // Final states of one cell, as final_states above.
    void final_states_of(std::int64_t layer, std::int64_t direction, float* out, std::int64_t stride,
                         const std::int64_t* place, std::int64_t begin, std::int64_t end) const;

    struct OutputGradients {
        RowSpace outputs;  // of the top layer's states; base null: none
        // Of the final states of the cells from first_cell on; those of the next cell stand cell_stride floats on.
        RowGradients final_states;
        std::int64_t first_cell = 0, cell_stride = 0;

        [[nodiscard]] RowGradients of(const Cell& cell) const;
    };
    struct InputGradients {
        float* parameters = nullptr;  // packed, added to
        RowSpace rows;  // base null: not wanted
        float* h0 = nullptr;  // [cell][N][H]; null: not wanted
    };
    void backward(const OutputGradients& given, const InputGradients& wanted);

private:
    void backward_one_cell(const Cell& cell, const RowSpace& d_states, const RowGradients& final_states,
                           const InputGradients& wanted);
    void transpose_recurrent(const Cell& cell);
    const float* transpose_input(const Cell& cell);

    const Network& network_;
    int n_jobs_;
    const BatchPlan* plan_ = nullptr;
    RowSpace rows_;
    const float* h0_ = nullptr;
    std::vector<Buffer> states_;  // [layer]
    std::vector<Buffer> gates_;  // [cell]
    Buffer d_states_[2];  // of a layer and of the one below
    Buffer carry_, u_t_, u_t_candidate_, w_t_;
    BackwardScratch scratch_;
};

}  // namespace grulearn
