#include <algorithm>
#include <numeric>

#include "grulearn/errors.hpp"
#include "grulearn/training.hpp"
#include "recording.hpp"
#include "thread_pool.hpp"

namespace grulearn {

template <class Real>
class Tape<Real>::Implementation {
public:
    Implementation(const Network<Real>& of, int jobs, std::int64_t checkpoint_steps)
        : network(of), n_jobs(jobs), recording(of, checkpoint_steps) {}

    const Network<Real>& network;
    int n_jobs;
    Recording<Real> recording;
    TransposedWeights<Real> transposed;
    BatchPlan plan;
};

template <class Real>
Tape<Real>::Tape(const Network<Real>& network, int n_jobs, std::int64_t checkpoint_steps)
    : implementation_(std::make_unique<Implementation>(network, n_jobs, checkpoint_steps)) {
    if (network.config().prepares_inputs()) {
        throw InvalidArgument(
            "a tape gives gradients by the rows that a cell reads; this network makes them of "
            "categorical or decaying features first. A Trainer gives those of its weights");
    }
}
template <class Real>
Tape<Real>::~Tape() = default;

template <class Real>
void Tape<Real>::record(const SequencesView<Real>& sequences, const Real* h0, Real* outputs, Real* h_n) {
    Implementation& own = *implementation_;
    const NetworkConfig& config = own.network.config();
    check(sequences, config);
    const FlushDenormals flush;
    std::vector<std::int64_t> all(static_cast<std::size_t>(sequences.size()));
    std::iota(all.begin(), all.end(), 0);
    own.plan.build(sequences, all);
    own.recording.forward(own.plan, {caller_rows(own.plan, sequences), {}}, h0, nullptr, own.n_jobs);
    for (std::int64_t cell = 0; cell < config.cells(); ++cell) {
        own.recording.final_states_of(cell / config.directions(), cell % config.directions(),
                                      h_n + cell * own.plan.rows * config.hidden_size, config.hidden_size,
                                      own.plan.sequence.data(), 0, own.plan.rows);
    }
    if (outputs == nullptr) return;
    const RowSpace<Real> states = own.recording.states(config.num_layers - 1);
    for (std::int64_t i = 0; i < own.plan.rows; ++i) {
        const auto row = static_cast<std::size_t>(i);
        for (std::int64_t position = 0; position < own.plan.length[row]; ++position) {
            std::copy_n(states.at(own.plan, i, position), config.state_size(),
                        outputs + (own.plan.output_start[row] + position) * config.state_size());
        }
    }
}

template <class Real>
void Tape<Real>::backward(const Real* d_outputs, const Real* d_h_n, Real* d_parameters, Real* d_rows, Real* d_h0) {
    Implementation& own = *implementation_;
    const NetworkConfig& config = own.network.config();
    const FlushDenormals flush;
    typename Recording<Real>::OutputGradients given;
    given.outputs = {const_cast<Real*>(d_outputs), config.state_size(), RowOrder::sequence,
                     own.plan.output_start.data()};
    given.final_states = {d_h_n, config.hidden_size, own.plan.sequence.data()};
    given.cell_stride = own.plan.rows * config.hidden_size;
    typename Recording<Real>::InputGradients wanted;
    wanted.parameters = d_parameters;
    wanted.rows = {d_rows, config.input_size, RowOrder::sequence, own.plan.output_start.data()};
    wanted.n_columns = config.input_size;
    wanted.h0 = d_h0;
    own.transposed.update(own.network, true, d_rows != nullptr);
    own.recording.backward(given, wanted, own.transposed, own.n_jobs);
}

template class Tape<float>;
template class Tape<double>;

}  // namespace grulearn
