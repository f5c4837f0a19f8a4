// Gradients and training: a recorded forward pass, and the fused training step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "grulearn/network.hpp"

namespace grulearn {

// A forward pass that keeps what the backward pass needs. The network must outlive it, and its parameters must not
// change in between.
template <class Real>
class Tape {
public:
    // checkpoint_steps: 0 keeps the gates of all steps; otherwise those of so many steps are held at a time, rounded up
    // to whole chunks of some 200 row-steps, and made again in the backward pass. The results are the same.
    Tape(const Network<Real>& network, int n_jobs, std::int64_t checkpoint_steps = 0);
    ~Tape();
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;

    // outputs (sum of lengths, D * H) may be null; h_n (L * D, N, H). The rows must outlive the backward pass.
    void record(const SequencesView<Real>& sequences, const Real* h0, Real* outputs, Real* h_n);

    // Gradients of a scalar loss, given those of outputs and h_n (either may be null: zero). d_parameters is packed and
    // added to; d_rows (sum of lengths, F) and d_h0 (L * D, N, H) are overwritten, null: not wanted. One call a record.
    void backward(const Real* d_outputs, const Real* d_h_n, Real* d_parameters, Real* d_rows, Real* d_h0);

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

struct OptimizerConfig {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double weight_decay = 0.0;  // decoupled; biases do not decay
    double clip_norm = 0.0;     // bound on the global norm of the gradient; 0: none
};

// Loss of a batch: the sum over its targets and how many there were.
struct LossSum {
    double loss = 0.0;
    double weight = 0.0;
};

template <class Real>
class BatchWorker;

// Trains a network with a head on fixed data by Adam on the mean squared error. Holds views of rows and targets. Not
// for several threads at once.
template <class Real>
class Trainer {
public:
    // targets (N, O); checkpoint_steps as for Tape.
    Trainer(Network<Real>& network, const SequencesView<Real>& sequences, const Real* targets, std::int64_t batch_size,
            int n_jobs, std::int64_t checkpoint_steps, const OptimizerConfig& optimizer);
    ~Trainer();
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    // One step for every batch of `order` (empty: all sequences as they stand); losses: the mean squared error of each
    // batch before its step, batches(order) of them. poll, if given, is asked between batches at least every 20 ms
    // whether to stop; then Interrupted is thrown.
    void run_epoch(std::span<const std::int64_t> order, double learning_rate, std::span<double> losses,
                   bool (*poll)() = nullptr);
    [[nodiscard]] std::int64_t batches(std::span<const std::int64_t> order) const;

    // The same taken apart. Adds the gradient of the sum of squared errors of a batch to gradients().
    LossSum accumulate(std::span<const std::int64_t> batch);
    [[nodiscard]] const Real* gradients() const { return gradients_.data(); }  // packed
    // Divides the gradients (null: the accumulated ones; else packed) by weight, clips, steps; clears both.
    void apply(double learning_rate, double weight, Real* gradients = nullptr);

private:
    [[nodiscard]] double sum_of_squares(const Real* values) const;

    Network<Real>& network_;
    SequencesView<Real> sequences_;
    const Real* targets_;
    std::int64_t batch_size_;
    int n_jobs_;
    OptimizerConfig optimizer_;
    std::int64_t steps_ = 0;
    Buffer<Real> gradients_, first_moment_, second_moment_;
    std::vector<std::int64_t> starts_, lengths_;  // copies: a change behind our back could lead outside the rows
    std::vector<std::int64_t> identity_;
    std::unique_ptr<BatchWorker<Real>> worker_;
};

}  // namespace grulearn
