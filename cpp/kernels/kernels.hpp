// What a set of kernels offers to the network: plain structs of pointers and sizes, and a table of functions.
//
// This header is included by objects compiled for different instruction sets, so it holds no code, no STL and nothing
// that the linker could share between them. Real is float or double.
//
// Packed layouts (V = scalars of a vector, a panel = V hidden units, the last panel padded with zeros):
//   w        [panel][input][3][V]     input weights of the gates r, z, n
//   u        [panel][hidden][3][V]    recurrent weights of the gates r, z, n
//   bias     [panel][6][V]            b_r, b_z, b_n, c_r, c_z, c_n
//   inputs   [panel][row-step][3][V]  biases and W x of the gates, where they are made ahead of the steps
//   gates    [panel][row-step][slots][V]   of a run of row-steps: r, z, n and, with reset_after, q = U_n h + c_n in the
//                                     fourth slot; the backward step replaces them by da_r, da_z, da_n and dq = da_n *
//                                     r
//   u_t      [panel of k][(panel, slot, lane)][V]   u transposed: for each gate gradient, V states
//   w_t      the same for the inputs
// A row-step is one step of one sequence; "rows" are those of one step, sorted by falling length.
#pragma once

#include <cstdint>

#include "grulearn/loss.hpp"

namespace grulearn {

// Sizes that every kernel call of one cell (one layer, one direction) shares.
struct CellShape {
    std::int64_t inputs = 0;  // F of the layer
    std::int64_t hidden = 0;  // H
    std::int64_t panels = 0;  // ceil(H / V)
    bool reset_after = true;

    [[nodiscard]] constexpr std::int64_t slots() const { return reset_after ? 4 : 3; }
};

// The part of a step that a call does. Threads that share a step by panels meet between the phases, which only
// reset_after=False has two of: its second one needs all panels of the first.
struct StepPart {
    std::int64_t panel_begin = 0, panel_end = 0;
    bool first_phase = true, second_phase = true;
};

// One step of some rows, forward. No pointer may alias an output.
template <class Real>
struct ForwardStep {
    CellShape shape;
    const Real* w = nullptr;
    const Real* u = nullptr;
    const Real* bias = nullptr;  // null: no biases
    std::int64_t rows = 0;
    const Real* const* x = nullptr;  // [rows] inputs, F floats each
    const Real* const* h = nullptr;  // [rows] what U multiplies: previous states, H floats each; null: all zero
    const Real* const* mixed = nullptr;  // [rows] the states that z keeps: h but for recurrent dropout
    Real* const* out = nullptr;  // [rows] new states, H floats each
    Real* gates = nullptr;  // [panel][rows] saved gates; null (with reset_after only): inference
    std::int64_t gates_panel = 0;  // floats between panels of gates
    Real* reset_state = nullptr;  // reset_after=False: scratch, [rows][panels * V], for r * h
    const Real* inputs = nullptr;  // [panel][rows] of this step, made ahead by input_product; null: not made
    std::int64_t inputs_panel = 0;
    StepPart part;
};

// Biases and W x of some row-steps, for some panels, ahead of their steps.
template <class Real>
struct InputProduct {
    CellShape shape;
    const Real* w = nullptr;
    const Real* bias = nullptr;
    std::int64_t rows = 0;
    const Real* const* x = nullptr;
    std::int64_t panel_begin = 0, panel_end = 0;
    Real* out = nullptr;  // [panel][rows][3][V]
    std::int64_t out_panel = 0;
};

// One step of some rows, backward: dh(t) = carry + d_out(t) + gate gradients(t+1) U, then the gate gradients of step t.
template <class Real>
struct BackwardStep {
    CellShape shape;
    std::int64_t rows = 0;
    const Real* u_t = nullptr;  // slots r, z and (reset_after) q
    const Real* u_t_candidate = nullptr;  // reset_after=False: slot n alone; null: nothing passes through r * h
    const Real* next_gates = nullptr;  // [panel][rows] gate gradients of step t+1; null: none reach this step
    std::int64_t next_panel = 0;  // floats between panels of next_gates
    // [panel][rows] in: saved gates of step t, out: their gradients; null: only sum dh into carry (the gradient of h0)
    Real* gates = nullptr;
    std::int64_t gates_panel = 0;
    const Real* const* h = nullptr;  // [rows] what U multiplied at step t; null: all zero
    const Real* const* mixed = nullptr;  // [rows] the states that z kept: h but for recurrent dropout
    const Real* const* d_out = nullptr;  // [rows] gradients of the outputs of step t; null: none
    bool first = false;  // the pass begins here: dh starts from d_final, and carry is only written
    const Real* const* d_final = nullptr;  // [rows] gradients of the final states, H floats each; null: zero
    Real* carry = nullptr;  // [panel][rows][V] in: the part of dh that bypassed U; out: dh * z
    std::int64_t carry_panel = 0;  // floats between panels of carry
    Real* reset_state = nullptr;  // reset_after=False: out, [rows][panels * V], r * h for dU_n
    StepPart part;
};

// dx of some row-steps from their gate gradients.
template <class Real>
struct InputGradient {
    CellShape shape;
    std::int64_t rows = 0;
    const Real* w_t = nullptr;
    const Real* gates = nullptr;  // [panel][rows] gate gradients
    std::int64_t gates_panel = 0;
    Real* const* dx = nullptr;  // [rows] F floats each
    std::int64_t panel_begin = 0, panel_end = 0;  // of inputs: those that are wanted
    bool add = false;  // add to dx instead of overwriting it
};

// dW or dU: the sum over row-steps of gate gradients times inputs, for some panels and a range of inputs.
template <class Real>
struct WeightGradient {
    CellShape shape;
    std::int64_t count = 0;  // row-steps
    const Real* gates = nullptr;  // [panel][count] gate gradients
    std::int64_t gates_panel = 0;
    const Real* const* inputs = nullptr;  // [count] rows of n_inputs floats
    std::int64_t n_inputs = 0;  // inputs of the packed layout (F or H)
    std::int64_t input_begin = 0, input_end = 0;
    std::int64_t panel_begin = 0, panel_end = 0;
    int first_gate = 0, n_gates = 3;  // which gates of `out`
    int slots[3] = {0, 1, 2};  // where the gradient of each of these gates stands in `gates`
    Real* out = nullptr;  // packed as w or u, added to
};

template <class Real>
struct BiasGradient {
    CellShape shape;
    std::int64_t count = 0;
    const Real* gates = nullptr;
    std::int64_t gates_panel = 0;
    std::int64_t panel_begin = 0, panel_end = 0;
    Real* out = nullptr;  // packed as bias, added to
};

// GRU-D's inputs: missing values fade with the time since they were observed.
template <class Real>
struct DecayInputs {
    std::int64_t rows = 0, features = 0;  // F
    const Real* const* x = nullptr;  // [rows] F values, F of the mask, F gaps
    const Real* weight = nullptr;  // [F] rates of the gaps
    const Real* bias = nullptr;  // [F]
    Real* const* out = nullptr;  // [rows] F values, F of the mask
    // Gradients, of a few rows, which are one sum each:
    const Real* const* d_out = nullptr;  // [rows] as out
    Real* d_weight = nullptr;  // added to
    Real* d_bias = nullptr;  // added to
};

// GRU-D's states: those before a step of layer 0 fade with the gaps of all features.
template <class Real>
struct DecayStates {
    std::int64_t rows = 0, features = 0, hidden = 0;
    const Real* const* gap = nullptr;  // [rows] F each
    const Real* weight = nullptr;  // [F][H, padded to whole vectors]
    const Real* bias = nullptr;  // [H, padded]
    const Real* const* h = nullptr;  // [rows] states before they fade, H scalars each
    Real* const* out = nullptr;  // [rows] after
};

template <class Real>
struct DecayStatesGradient {
    DecayStates<Real> forward;  // h and out are not read
    const Real* const* faded = nullptr;  // [rows] what forward has made
    Real* carry = nullptr;  // [panel][rows][V] in: gradients by the faded states; out: by those before
    std::int64_t carry_panel = 0;
    Real* d_rates = nullptr;  // [rows][H, padded] gradients by the rates
};

// Sums of those over row-steps, for some panels.
template <class Real>
struct DecayRateGradient {
    std::int64_t count = 0, features = 0, hidden = 0;
    const Real* const* gap = nullptr;  // [count] F each
    const Real* d_rates = nullptr;  // [count][H, padded]
    std::int64_t panel_begin = 0, panel_end = 0;
    Real* d_weight = nullptr;  // added to
    Real* d_bias = nullptr;  // added to
};

// Layer normalisation saves of a row-step, in the place of gates: r, z, n, and the normalised products with W and U.
constexpr std::int64_t kNormSlots = 9;

// What follows the products of a step of some rows, with reset_after.
template <class Real>
struct NormStep {
    CellShape shape;
    std::int64_t rows = 0;
    const Real* inputs = nullptr;  // [panel][rows][3][V] W x
    std::int64_t inputs_panel = 0;
    const Real* states = nullptr;  // the same of U h; null: all zero
    std::int64_t states_panel = 0;
    const Real* gain = nullptr;  // [panel][6][V] of the products with W, then with U
    const Real* bias = nullptr;  // null: none
    const Real* const* mixed = nullptr;  // as in ForwardStep
    Real* const* out = nullptr;  // [rows] new states
    Real* saved = nullptr;  // [panel][rows][kNormSlots][V]; null: not kept
    std::int64_t saved_panel = 0;
    Real* scales = nullptr;  // [rows][6] 1 / standard deviation of each product
};

// From dh to the gradients by both products of a step. These, and the gate gradients da_r, da_z, da_n and dq, are
// [panel][rows][4][V], all with the same distance between panels.
template <class Real>
struct NormGradient {
    CellShape shape;
    std::int64_t rows = 0;
    const Real* gain = nullptr;
    const Real* bias = nullptr;
    const Real* saved = nullptr;
    std::int64_t saved_panel = 0;
    const Real* scales = nullptr;
    const Real* const* mixed = nullptr;
    bool first = false;  // as in BackwardStep, like all of these
    const Real* const* d_final = nullptr;
    const Real* const* d_out = nullptr;
    Real* carry = nullptr;
    std::int64_t carry_panel = 0;
    Real* d_gates = nullptr;
    Real* d_inputs = nullptr;  // by W x: slots 0, 1, 2
    Real* d_states = nullptr;  // by U h: slots 0, 1, 3
    std::int64_t panel = 0;
};

// Sums over row-steps, for some panels.
template <class Real>
struct NormGainGradient {
    std::int64_t count = 0;
    const Real* d_gates = nullptr;
    std::int64_t panel = 0;
    const Real* saved = nullptr;
    std::int64_t saved_panel = 0;
    std::int64_t panel_begin = 0, panel_end = 0;
    Real* out = nullptr;  // packed as gain, added to
};

// Random masks of rows: 1 where the 24 bits drawn for a unit, by the row's key, are below `below`; else 0.
struct MaskRows {
    std::int64_t rows = 0;
    std::int64_t begin = 0, end = 0;  // units; begin is a multiple of V
    const std::uint64_t* keys = nullptr;  // [rows]
    std::int32_t below = 0;  // of 2^24
};

// Dropout: out = mask * scale * x.
template <class Real>
struct DropRows {
    MaskRows mask;
    Real scale = 1;
    const Real* const* x = nullptr;  // [rows] null: all 1
    Real* const* out = nullptr;  // [rows] may be x
};

// out = factor * x, of units [begin, end).
template <class Real>
struct ScaleRows {
    std::int64_t rows = 0, begin = 0, end = 0;
    const Real* const* factor = nullptr;  // [rows]
    const Real* const* x = nullptr;  // [rows]
    Real* const* out = nullptr;  // [rows] may be x
};

// Zoneout: out = kept * h + (1 - kept) * out, where kept is a mask or, without keys, a number.
template <class Real>
struct ZoneoutRows {
    MaskRows mask;
    Real kept = 0;
    const Real* const* h = nullptr;  // [rows] states before the step; null: all zero
    Real* const* out = nullptr;  // [rows] states after it
};

// Where states are dropped or kept, dh takes other ways than through the gates: `bypass` holds their part, and carry,
// as in BackwardStep, the rest. Both are [panel][rows][V].
template <class Real>
struct BypassRows {
    std::int64_t rows = 0, begin = 0, end = 0;  // units
    Real* carry = nullptr;
    Real* bypass = nullptr;
    std::int64_t panel = 0;  // scalars between panels of either
    bool add = false;  // park_gradient: to what is in bypass
    const Real* const* factor = nullptr;  // leaving_gradient: [rows] recurrent dropout; null: all 1
};

// The gradient of states after zoneout: bypass = kept * dh, carry = dh - bypass.
template <class Real>
struct ZoneoutGradient {
    ZoneoutRows<Real> forward;  // h and out are not read
    BypassRows<Real> way;
    bool first = false;  // as in BackwardStep
    const Real* const* d_final = nullptr;
    const Real* const* d_out = nullptr;
};

// A linear map from rows of K scalars to O outputs: out = x w^T + b, w (O, K) row-major.
template <class Real>
struct HeadForward {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
    const Real* const* x = nullptr;  // [rows] `inputs` scalars each
    const Real* w = nullptr;
    const Real* b = nullptr;
    Real* out = nullptr;  // [rows][outputs]
};

template <class Real>
struct HeadInputGradient {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
    const Real* w = nullptr;
    const Real* d_out = nullptr;  // [rows][outputs]
    Real* dx = nullptr;  // [rows][inputs], overwritten
};

template <class Real>
struct HeadWeightGradient {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
    const Real* const* x = nullptr;  // [rows] `inputs` scalars each
    const Real* d_out = nullptr;
    Real* dw = nullptr;  // added to
    Real* db = nullptr;  // added to
};

// Least scale of Loss::gaussian: the variance 1e-6, as in torch.nn.GaussianNLLLoss.
constexpr double kSmallestScale = 1e-3;

// The loss of some rows, and its derivatives by their outputs.
template <class Real>
struct LossRows {
    Loss loss = Loss::squared_error;
    std::int64_t rows = 0, outputs = 0, targets = 0;
    Real* out = nullptr;  // [rows][outputs] in: outputs of the head; out: derivatives of the (weighted) sum
    const Real* wanted = nullptr;  // [rows][targets]
    const std::int64_t* classes = nullptr;  // [rows], instead of `wanted`, for cross_entropy
    const Real* weights = nullptr;  // [rows][targets], null: all 1; where one is 0 the target must only be finite
    Real* scratch = nullptr;  // [3][rows][outputs] for pinball, gaussian and cross_entropy
    Real delta = 1;  // huber
    const Real* quantiles = nullptr;  // pinball: [n_quantiles], rising
    std::int64_t n_quantiles = 0, anchor = 0;  // anchor: which of them is an output as it stands
    Real smoothing = 0;  // cross_entropy and binary_cross_entropy: label smoothing
};

// The outputs of some rows, to be replaced by what they stand for.
template <class Real>
struct LinkRows {
    Loss loss = Loss::squared_error;
    std::int64_t rows = 0, outputs = 0;
    Real* out = nullptr;  // [rows][outputs]
    std::int64_t n_quantiles = 0, anchor = 0;  // pinball, as in LossRows
};

// Terms of a sum over steps that are added one by one, before they are added to the rest.
constexpr std::int64_t kPoolBlock = 256;

// The states of one sequence, to be pooled, and back.
template <class Real>
struct PoolRows {
    std::int64_t count = 0, size = 0;  // of steps, of scalars that are pooled
    const Real* const* x = nullptr;  // [count] states
    std::int64_t column = 0;  // pool_sum, pool_max: of the first of these scalars in a state
    bool reverse = false;  // pool_sum: from the last step to the first
    // [size] the pooled vector. pool_sum and pool_max take up what is in it, attention overwrites it, gradients read
    // it.
    Real* out = nullptr;
    const Real* query = nullptr;  // attention: [size]
    Real scale = 1;  // attention: of the scores
    Real* weights = nullptr;  // attention: [count] of the steps; attention_gradient: replaced by derivatives by q . x
    const Real* d_out = nullptr;  // gradients: [size] of out
    Real* const* dx = nullptr;  // gradients: [count], overwritten
};

// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it.
template <class Real>
struct AdamStep {
    std::int64_t count = 0;
    Real* parameters = nullptr;
    Real* gradients = nullptr;  // cleared
    Real* first_moment = nullptr;
    Real* second_moment = nullptr;
    Real gradient_scale = 1;  // applied to the gradients first: averaging and clipping
    // beta and 1 - beta each rounded by itself: in float32 1 - 0.999 is off by 1e-5.
    Real keep1 = 0, take1 = 0, keep2 = 0, take2 = 0;
    Real epsilon = 0;
    Real step_size = 0;  // learning rate / (1 - beta1^t)
    Real second_correction = 1;  // 1 / sqrt(1 - beta2^t)
    Real decay_factor = 1;  // 1 - learning rate * weight decay
};

// average = keep * average + take * values
template <class Real>
struct AverageStep {
    std::int64_t count = 0;  // a multiple of V
    const Real* values = nullptr;
    Real* average = nullptr;
    Real keep = 0, take = 0;
};

template <class Real>
struct KernelTable {
    const char* name;
    std::int64_t width;  // V
    void (*forward_step)(const ForwardStep<Real>&);
    void (*input_product)(const InputProduct<Real>&);
    void (*backward_step)(const BackwardStep<Real>&);
    void (*input_gradient)(const InputGradient<Real>&);
    void (*weight_gradient)(const WeightGradient<Real>&);
    void (*bias_gradient)(const BiasGradient<Real>&);
    void (*decay_inputs)(const DecayInputs<Real>&);
    void (*decay_inputs_gradient)(const DecayInputs<Real>&);
    void (*decay_states)(const DecayStates<Real>&);
    void (*decay_states_gradient)(const DecayStatesGradient<Real>&);
    void (*decay_rate_gradient)(const DecayRateGradient<Real>&);
    void (*norm_step)(const NormStep<Real>&);
    void (*norm_gradient)(const NormGradient<Real>&);
    void (*norm_gain_gradient)(const NormGainGradient<Real>&);
    void (*drop_rows)(const DropRows<Real>&);
    void (*scale_rows)(const ScaleRows<Real>&);
    void (*zoneout)(const ZoneoutRows<Real>&);
    void (*zoneout_gradient)(const ZoneoutGradient<Real>&);
    void (*park_gradient)(const BypassRows<Real>&);  // bypass = carry (or += carry), carry = 0
    void (*leaving_gradient)(const BypassRows<Real>&);  // carry = bypass + factor * carry
    void (*head_forward)(const HeadForward<Real>&);
    void (*head_input_gradient)(const HeadInputGradient<Real>&);
    void (*head_weight_gradient)(const HeadWeightGradient<Real>&);
    double (*loss_and_slope)(const LossRows<Real>&);  // returns the sum
    void (*link)(const LinkRows<Real>&);
    void (*pool_sum)(const PoolRows<Real>&);
    void (*pool_max)(const PoolRows<Real>&);
    void (*pool_max_gradient)(const PoolRows<Real>&);
    void (*attention)(const PoolRows<Real>&);
    void (*attention_gradient)(const PoolRows<Real>&);
    void (*adam)(const AdamStep<Real>&);
    void (*average)(const AverageStep<Real>&);
    double (*sum_of_squares)(const Real* values, std::int64_t count);
    // packed (w or u) -> transposed; gate g of the first n_gates (from first_gate) goes to the g-th block of lanes
    void (*transpose)(const CellShape&, const Real* packed, std::int64_t n_inputs, int first_gate, int n_gates,
                      Real* out);
    // Keeps the multiply-add units busy for so many rounds; returns how many operations that were (2 each and lane).
    std::int64_t (*peak)(std::int64_t rounds);
};

}  // namespace grulearn
