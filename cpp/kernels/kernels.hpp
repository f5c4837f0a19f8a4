// What a set of kernels offers to the network: plain structs of pointers and sizes, and a table of functions.
//
// This header is included by objects compiled for different instruction sets, so it holds no code, no STL and nothing
// that the linker could share between them.
//
// Packed layouts (V = vector width in floats, a panel = V hidden units, the last panel padded with zeros):
//   w        [panel][input][3][V]     input weights of the gates r, z, n
//   u        [panel][hidden][3][V]    recurrent weights of the gates r, z, n
//   bias     [panel][6][V]            b_r, b_z, b_n, c_r, c_z, c_n
//   gates    [panel][slots][V]        one row-step: r, z, n and, with reset_after, q = U_n h + c_n in the fourth slot;
//                                     the backward step replaces them by da_r, da_z, da_n and dq = da_n * r
//   u_t      [panel of k][(panel, slot, lane)][V]   u transposed: for each gate gradient, V states
//   w_t      the same for the inputs
// A row-step is one step of one sequence; "rows" are those of one step, sorted by falling length.
#pragma once

#include <cstdint>

namespace grulearn {

// Sizes that every kernel call of one cell (one layer, one direction) shares.
struct CellShape {
    std::int64_t inputs = 0;  // F of the layer
    std::int64_t hidden = 0;  // H
    std::int64_t panels = 0;  // ceil(H / V)
    bool reset_after = true;

    [[nodiscard]] constexpr std::int64_t slots() const { return reset_after ? 4 : 3; }
};

// One step of some rows, forward. No pointer may alias an output.
struct ForwardStep {
    CellShape shape;
    const float* w = nullptr;
    const float* u = nullptr;
    const float* bias = nullptr;        // null: no biases
    std::int64_t rows = 0;
    const float* const* x = nullptr;    // [rows] inputs, F floats each
    const float* const* h = nullptr;    // [rows] previous states, H floats each; null: all zero
    float* const* out = nullptr;        // [rows] new states, H floats each
    float* gates = nullptr;             // [rows] saved gates; null (with reset_after only): inference
    std::int64_t gates_stride = 0;      // floats between rows of gates
    float* reset_state = nullptr;       // reset_after=False: scratch, [rows][panels * V], for r * h
};

// One step of some rows, backward: dh(t) = carry + d_out(t) + gate gradients(t+1) U, then the gate gradients of step t.
struct BackwardStep {
    CellShape shape;
    std::int64_t rows = 0;
    const float* u_t = nullptr;            // slots r, z and (reset_after) q
    const float* u_t_candidate = nullptr;  // reset_after=False: slot n alone; null: nothing passes through r * h
    const float* next_gates = nullptr;     // [rows] gate gradients of step t+1; null: none reach this step
    // [rows] in: saved gates of step t, out: their gradients; null: only sum dh into carry (the gradient of h0)
    float* gates = nullptr;
    std::int64_t gates_stride = 0;
    const float* const* h = nullptr;  // [rows] states before step t; null: all zero
    const float* const* d_out = nullptr;  // [rows] gradients of the outputs of step t; null: none
    bool first = false;  // the pass begins here: dh starts from d_final, and carry is only written
    const float* const* d_final = nullptr;  // [rows] gradients of the final states, H floats each; null: zero
    float* carry = nullptr;  // [rows][panels * V] in: the part of dh that bypassed U; out: dh * z
    float* reset_state = nullptr;  // reset_after=False: out, [rows][panels * V], r * h for dU_n
};

// dx of some row-steps from their gate gradients.
struct InputGradient {
    CellShape shape;
    std::int64_t rows = 0;
    const float* w_t = nullptr;
    const float* const* gates = nullptr;  // [rows] gate gradients
    float* const* dx = nullptr;  // [rows] F floats each
    bool add = false;  // add to dx instead of overwriting it
};

// dW or dU: the sum over row-steps of gate gradients times inputs, for some panels and a range of inputs.
struct WeightGradient {
    CellShape shape;
    std::int64_t count = 0;  // row-steps
    const float* gates = nullptr;  // [count] gate gradients
    std::int64_t gates_stride = 0;
    const float* const* inputs = nullptr;  // [count] rows of n_inputs floats
    std::int64_t n_inputs = 0;  // inputs of the packed layout (F or H)
    std::int64_t input_begin = 0, input_end = 0;
    std::int64_t panel_begin = 0, panel_end = 0;
    int first_gate = 0, n_gates = 3;  // which gates of `out`
    int slots[3] = {0, 1, 2};  // where the gradient of each of these gates stands in `gates`
    float* out = nullptr;  // packed as w or u, added to
};

struct BiasGradient {
    CellShape shape;
    std::int64_t count = 0;
    const float* gates = nullptr;
    std::int64_t gates_stride = 0;
    std::int64_t panel_begin = 0, panel_end = 0;
    float* out = nullptr;  // packed as bias, added to
};

// A linear map from rows of K floats to O outputs: out = x w^T + b, w (O, K) row-major.
struct HeadForward {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
    const float* const* x = nullptr;  // [rows] `inputs` floats each
    const float* w = nullptr;
    const float* b = nullptr;
    float* out = nullptr;  // [rows][outputs]
};

struct HeadInputGradient {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
    const float* w = nullptr;
    const float* d_out = nullptr;  // [rows][outputs]
    float* dx = nullptr;           // [rows][inputs], overwritten
};

struct HeadWeightGradient {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
    const float* const* x = nullptr;  // [rows] `inputs` floats each
    const float* d_out = nullptr;
    float* dw = nullptr;  // added to
    float* db = nullptr;  // added to
};

// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it.
struct AdamStep {
    std::int64_t count = 0;
    float* parameters = nullptr;
    float* gradients = nullptr;  // cleared
    float* first_moment = nullptr;
    float* second_moment = nullptr;
    float gradient_scale = 1.0F;  // applied to the gradients first: averaging and clipping
    // beta and 1 - beta each rounded by itself: 1 - 0.999F is off by 1e-5.
    float keep1 = 0.0F, take1 = 0.0F, keep2 = 0.0F, take2 = 0.0F;
    float epsilon = 0.0F;
    float step_size = 0.0F;  // learning rate / (1 - beta1^t)
    float second_correction = 1.0F;  // 1 / sqrt(1 - beta2^t)
    float decay_factor = 1.0F;  // 1 - learning rate * weight decay
};

struct KernelTable {
    const char* name;
    std::int64_t width;  // V
    void (*forward_step)(const ForwardStep&);
    void (*backward_step)(const BackwardStep&);
    void (*input_gradient)(const InputGradient&);
    void (*weight_gradient)(const WeightGradient&);
    void (*bias_gradient)(const BiasGradient&);
    void (*head_forward)(const HeadForward&);
    void (*head_input_gradient)(const HeadInputGradient&);
    void (*head_weight_gradient)(const HeadWeightGradient&);
    void (*adam)(const AdamStep&);
    double (*sum_of_squares)(const float* values, std::int64_t count);
    // packed (w or u) -> transposed; gate g of the first n_gates (from first_gate) goes to the g-th block of lanes
    void (*transpose)(const CellShape&, const float* packed, std::int64_t n_inputs, int first_gate, int n_gates,
                      float* out);
};

}  // namespace grulearn
