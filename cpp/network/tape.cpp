#include <algorithm>
#include <numeric>

#include "grulearn/training.hpp"
#include "recording.hpp"
#include "thread_pool.hpp"

namespace grulearn {

class Tape::Implementation {
public:
    Implementation(const Network& of, int n_jobs) : network(of), recording(of, n_jobs) {}

    const Network& network;
    Recording recording;
    BatchPlan plan;
};

Tape::Tape(const Network& network, int n_jobs) : implementation_(std::make_unique<Implementation>(network, n_jobs)) {}
Tape::~Tape() = default;

void Tape::record(const SequencesView& sequences, const float* h0, float* outputs, float* h_n) {
    Implementation& own = *implementation_;
    const NetworkConfig& config = own.network.config();
    check(sequences, config.input_size);
    const FlushDenormals flush;
    std::vector<std::int64_t> all(static_cast<std::size_t>(sequences.size()));
    std::iota(all.begin(), all.end(), 0);
    own.plan.build(sequences, all);
    own.recording.forward(own.plan, caller_rows(own.plan, sequences), h0);
    for (std::int64_t cell = 0; cell < config.cells(); ++cell) {
        own.recording.final_states_of(cell / config.directions(), cell % config.directions(),
                                      h_n + cell * own.plan.rows * config.hidden_size, config.hidden_size,
                                      own.plan.sequence.data(), 0, own.plan.rows);
    }
    if (outputs == nullptr) return;
    const RowSpace states = own.recording.states(config.num_layers - 1);
    for (std::int64_t i = 0; i < own.plan.rows; ++i) {
        const auto row = static_cast<std::size_t>(i);
        for (std::int64_t position = 0; position < own.plan.length[row]; ++position) {
            std::copy_n(states.at(own.plan, i, position), config.state_size(),
                        outputs + (own.plan.output_start[row] + position) * config.state_size());
        }
    }
}

void Tape::backward(const float* d_outputs, const float* d_h_n, float* d_parameters, float* d_rows, float* d_h0) {
    Implementation& own = *implementation_;
    const NetworkConfig& config = own.network.config();
    const FlushDenormals flush;
    Recording::OutputGradients given;
    given.outputs = {const_cast<float*>(d_outputs), config.state_size(), RowSpace::Order::sequence,
                     own.plan.output_start.data()};
    given.final_states = {d_h_n, config.hidden_size, own.plan.sequence.data()};
    given.cell_stride = own.plan.rows * config.hidden_size;
    Recording::InputGradients wanted;
    wanted.parameters = d_parameters;
    wanted.rows = {d_rows, config.input_size, RowSpace::Order::sequence, own.plan.output_start.data()};
    wanted.h0 = d_h0;
    own.recording.backward(given, wanted);
}

}  // namespace grulearn
