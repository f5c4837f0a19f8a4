// Running a network: whole sequences, one step.
#include <algorithm>
#include <numeric>

#include "grulearn/errors.hpp"
#include "input_stage.hpp"
#include "norm_step.hpp"
#include "recording.hpp"
#include "thread_pool.hpp"

namespace grulearn {

template <class Real>
void Network<Real>::forward(const SequencesView<Real>& sequences, const Real* h0, Real* outputs, Real* h_n,
                            int n_jobs) const {
    check(sequences, config_);
    const FlushDenormals flush;
    std::vector<std::int64_t> all(static_cast<std::size_t>(sequences.size()));
    std::iota(all.begin(), all.end(), 0);
    BatchPlan plan;
    plan.build(sequences, all);
    const RowSpace<Real> top{outputs, config_.state_size(), RowOrder::sequence, plan.output_start.data()};
    std::vector<Buffer<Real>> states;
    InputStage<Real> stage(*this);
    forward_layers<Real>(*this, plan, stage.forward(plan, sequences, n_jobs), h0, top, states, nullptr, nullptr,
                         n_jobs);
    const std::int64_t cell_size = sequences.size() * config_.hidden_size;
    for (std::int64_t index = 0; index < config_.cells(); ++index) {
        const Cell<Real> cell{this, index / config_.directions(), index % config_.directions()};
        Real* lower = states[static_cast<std::size_t>(cell.layer)].data();
        const RowSpace<Real> layer_states = cell.layer + 1 == config_.num_layers
                                                ? top
                                                : RowSpace<Real>{lower, config_.state_size(), RowOrder::time, nullptr};
        final_states<Real>(cell, plan, layer_states, h0, h_n + index * cell_size, config_.hidden_size,
                           plan.sequence.data(), 0, plan.rows);
    }
}

namespace {

// The inputs of layer 0 and the states that enter it, for a few rows of a step, where the network makes them.
template <class Real>
class PreparedStep {
public:
    // x, codes, h: pointers of each row, replaced by those of the inputs and the states.
    void prepare(const Network<Real>& network, std::int64_t rows, const Real** x, const std::int32_t* const* codes,
                 const Real** h) {
        const NetworkConfig& config = network.config();
        const std::int64_t width = config.cell_inputs();
        const std::int64_t hidden = config.hidden_size;
        Real* made = scratch_.resize(kMaxGroup * (width + hidden));
        Real* to[kMaxGroup];
        for (std::int64_t i = 0; i < rows; ++i) to[i] = made + i * width;
        prepare_rows(network, rows, x, codes, to);
        if (config.decay) {
            const Real* gaps[kMaxGroup];
            Real* faded[kMaxGroup];
            for (std::int64_t i = 0; i < rows; ++i) {
                gaps[i] = x[i] + 2 * config.input_size;
                faded[i] = made + kMaxGroup * width + i * hidden;
            }
            DecayStates<Real> decay = decay_of_states(network, rows, gaps);
            decay.h = h;
            decay.out = faded;
            network.kernels().decay_states(decay);
            std::copy_n(faded, rows, h);
        }
        std::copy_n(to, rows, x);
    }

private:
    Buffer<Real> scratch_;
};

}  // namespace

template <class Real>
void Network<Real>::step(const Real* x, const Real* h, Real* out, std::int64_t n, const std::int32_t* codes) const {
    if (config_.bidirectional) {
        throw InvalidArgument("a bidirectional network has no single step: its reverse direction needs the end first");
    }
    const FlushDenormals flush;
    thread_local Buffer<Real> scratch;  // a step allocates nothing after the first
    thread_local Buffer<Real> norm_scratch;
    thread_local PreparedStep<Real> prepared;
    const auto columns = static_cast<std::int64_t>(config_.tables.size());
    const std::int64_t hidden = config_.hidden_size;
    for (std::int64_t layer = 0; layer < config_.num_layers; ++layer) {
        const Cell<Real> cell{this, layer, 0};
        ForwardStep<Real> step;
        step.shape = cell.shape();
        step.part.panel_end = step.shape.panels;
        const CellLayout& place = layout_.cells[static_cast<std::size_t>(layer)];
        step.w = packed() + place.w;
        step.u = packed() + place.u;
        step.bias = place.bias < 0 ? nullptr : packed() + place.bias;
        const std::int64_t padded = cell.padded_hidden();
        step.gates_panel = kMaxGroup * step.shape.slots() * kernels_->width;
        // New states go to scratch first: out may be h, and a panel's result must not reach the next panel's sums.
        Real* fresh = scratch.resize(kMaxGroup * (hidden + padded + step.shape.slots() * padded));
        if (!config_.reset_after) {
            step.reset_state = fresh + kMaxGroup * hidden;
            step.gates = step.reset_state + kMaxGroup * padded;
        }
        Real* norm = config_.layer_norm ? norm_scratch.resize(norm_scratch_size(cell) + 6 * kMaxGroup) : nullptr;
        const Real* inputs = layer == 0 ? x : out + (layer - 1) * n * hidden;
        const bool prepares = layer == 0 && config_.prepares_inputs();
        const std::int64_t stride = layer == 0 ? config_.row_width() : hidden;
        for (std::int64_t begin = 0; begin < n; begin += kMaxGroup) {
            step.rows = std::min(kMaxGroup, n - begin);
            const Real* x_rows[kMaxGroup];
            const Real* h_rows[kMaxGroup];
            Real* out_rows[kMaxGroup];
            for (std::int64_t i = 0; i < step.rows; ++i) {
                x_rows[i] = inputs + (begin + i) * stride;
                h_rows[i] = h + (layer * n + begin + i) * hidden;
                out_rows[i] = fresh + i * hidden;
            }
            if (prepares) {
                const std::int32_t* code_rows[kMaxGroup];
                for (std::int64_t i = 0; i < step.rows; ++i) code_rows[i] = codes + (begin + i) * columns;
                prepared.prepare(*this, step.rows, x_rows, code_rows, h_rows);
            }
            step.x = x_rows;
            step.h = step.mixed = h_rows;
            step.out = out_rows;
            if (config_.layer_norm) {
                norm_step(cell, step, norm, norm + norm_scratch_size(cell));
            } else {
                kernels_->forward_step(step);
            }
            if (config_.zoneout > 0.0) {
                ZoneoutRows<Real> zoneout;
                zoneout.mask.rows = step.rows;
                zoneout.mask.end = hidden;
                zoneout.kept = static_cast<Real>(config_.zoneout);
                zoneout.h = h_rows;
                zoneout.out = out_rows;
                kernels_->zoneout(zoneout);
            }
            std::copy_n(fresh, step.rows * hidden, out + (layer * n + begin) * hidden);
        }
    }
}

template void Network<float>::forward(const SequencesView<float>&, const float*, float*, float*, int) const;
template void Network<float>::step(const float*, const float*, float*, std::int64_t, const std::int32_t*) const;
template void Network<double>::forward(const SequencesView<double>&, const double*, double*, double*, int) const;
template void Network<double>::step(const double*, const double*, double*, std::int64_t, const std::int32_t*) const;

}  // namespace grulearn
