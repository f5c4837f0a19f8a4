// Gradients and training: a recorded forward pass, and the fused training step.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "grulearn/loss_config.hpp"
#include "grulearn/network.hpp"

namespace grulearn {

// A forward pass that keeps what the backward pass needs. The network must outlive it, and its parameters must not
// change in between.
template <class Real>
class Tape {
public:
    // Throws InvalidArgument for a network that prepares its inputs: gradients by its rows are not made.
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
    double weight_decay = 0.0;  // decoupled; see ParameterLayout::Segment
    double clip_norm = 0.0;     // bound on the global norm of the gradient; 0: none
    double average_decay = 0.0;  // of the moving average of the parameters after each step; 0: none is kept
};

// Random masks of training: inverted dropout, so that predictions take the network as it is. equations/masks.py states
// it.
struct DropoutConfig {
    double rate = 0.0;            // between layers and before the head
    double recurrent_rate = 0.0;  // of the states that U multiplies, constant over the steps of a sequence
    std::uint64_t seed = 0;       // also of zoneout's masks
};

// What a network is to learn: one row for each sequence, or per_step one for each step.
template <class Real>
struct TargetsView {
    std::int64_t n_rows = 0, n_columns = 0;
    const Real* values = nullptr;          // (n_rows, n_columns); per_step NaN: not known, does not count
    const std::int64_t* classes = nullptr;  // cross_entropy instead: (n_rows,) from 0 to O - 1; per_step -1: not known
    std::span<const std::int64_t> starts;  // per_step: a sequence's steps are the rows from here on
    const Real* weights = nullptr;  // (N,) of the sequences; null: all 1
    const Real* step_weights = nullptr;  // per_step: (n_rows,) of the steps; null: all 1
};

// Loss of a batch: the weighted sum over its targets, and the sum of their weights.
struct LossSum {
    double loss = 0.0;
    double weight = 0.0;
};

struct TrainerConfig {
    LossConfig loss;
    std::int64_t batch_size = 1;
    int n_jobs = 1;
    std::int64_t checkpoint_steps = 0;  // as for Tape
    OptimizerConfig optimizer;
    // Gradients pass through so many steps at most; 0: through whole sequences. A batch whose sequences are longer is
    // taken in segments of so many steps, each from the states that the one before left. Per_step every segment makes a
    // step; otherwise only the last steps of each sequence have a gradient, and the batch makes one step. Only for
    // networks in one direction whose head reads the last state or all states.
    std::int64_t bptt = 0;
    DropoutConfig dropout = {};
};

struct MaskSource;
template <class Real>
class BatchWorker;
template <class Real>
class CarriedBatch;
template <class Real>
class Targets;

// Trains a network with a head by Adam on fixed data. Holds views of rows and of the targets' values. Not for several
// threads at once.
template <class Real>
class Trainer {
public:
    // Throws InvalidArgument if targets or weights do not fit; it names the sequence and the step.
    Trainer(Network<Real>& network, const SequencesView<Real>& sequences, const TargetsView<Real>& targets,
            const TrainerConfig& config);
    ~Trainer();
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    // One step for every batch of `order` (empty: all sequences as they stand), or with bptt for its segments; losses:
    // the mean loss of each before its step, updates(order) of them; weights (or empty): what they are means over. A
    // batch or segment in which nothing counts makes no step, and has loss 0 and weight 0. poll, if given, is asked
    // between them at least every 20 ms whether to stop; then Interrupted is thrown. No step but the first begins
    // after so many seconds. Returns how many of the losses were measured.
    std::size_t run_epoch(std::span<const std::int64_t> order, double learning_rate, std::span<double> losses,
                          std::span<double> weights = {}, bool (*poll)() = nullptr,
                          double seconds = std::numeric_limits<double>::infinity());
    // Throws InvalidArgument for a sequence that is not there.
    [[nodiscard]] std::int64_t updates(std::span<const std::int64_t> order) const;

    // The same taken apart. Adds the gradient of the weighted sum of a batch's losses, with bptt of all its segments.
    LossSum accumulate(std::span<const std::int64_t> batch);
    // What was accumulated, (canonical_size,).
    void gradients(Real* canonical) const;
    // Divides the gradients (null: the accumulated ones; else packed) by weight, clips, steps; clears both.
    void apply(double learning_rate, double weight, Real* gradients = nullptr);

    // Adam's moments, (canonical_size,) each, and its number of steps so far: a trainer given the state of another goes
    // on as that one would have.
    void optimizer_state(Real* first_moment, Real* second_moment) const;
    [[nodiscard]] std::int64_t steps() const { return steps_; }
    // Throws InvalidArgument unless moments are finite, second ones and steps at least 0.
    void set_optimizer_state(const Real* first_moment, const Real* second_moment, std::int64_t steps);

    // The moving average, (canonical_size,), corrected for its beginning at 0, as Adam's moments are; before the first
    // step the parameters. Throws InvalidArgument if none is kept.
    void averaged_parameters(Real* canonical) const;
    // As it is kept, uncorrected, and its number of steps; to go on from, as with optimizer_state.
    void average_state(Real* canonical) const;
    [[nodiscard]] std::int64_t averaged_steps() const { return averaged_steps_; }
    // Throws InvalidArgument as well unless values are finite and steps at least 0.
    void set_average_state(const Real* canonical, std::int64_t steps);

    // Random masks are those of an epoch: of this number, which run_epoch counts up at its end. They depend on it, the
    // seed, and the sequence's number and step, and on nothing else.
    [[nodiscard]] std::int64_t epoch() const;
    // Throws InvalidArgument unless it is at least 0.
    void set_epoch(std::int64_t epoch);

private:
    // The part of an order, or of all sequences, that is batch b.
    [[nodiscard]] std::span<const std::int64_t> batch_of(std::span<const std::int64_t> order, std::int64_t b) const;
    [[nodiscard]] std::int64_t batches(std::span<const std::int64_t> order) const;
    [[nodiscard]] std::int64_t segments_of(std::span<const std::int64_t> batch) const;
    // In units of targets_.scale(): equal weights then give the bits of none. Calls after_segment(sum) when gradients
    // were accumulated of what makes a step, and poll() wherever it may stop.
    template <class AfterSegment, class Poll>
    void accumulate_scaled(std::span<const std::int64_t> batch, const AfterSegment& after_segment, Poll& poll);
    template <class AfterSegment, class Poll>
    void run_segments(std::span<const std::int64_t> batch, const AfterSegment& after_segment, Poll& poll);
    void apply_scaled(double learning_rate, double weight, Real* gradients);
    [[nodiscard]] std::span<const std::int64_t> that_count(std::span<const std::int64_t> batch);
    [[nodiscard]] bool segment_counts(std::span<const std::int64_t> batch) const;
    [[nodiscard]] double sum_of_squares(const Real* values) const;
    void check_averages() const;
    // null: nothing is random.
    [[nodiscard]] const MaskSource* source() const;

    Network<Real>& network_;
    SequencesView<Real> sequences_;
    std::int64_t batch_size_;
    int n_jobs_;
    std::int64_t bptt_;
    OptimizerConfig optimizer_;
    std::int64_t steps_ = 0, averaged_steps_ = 0;
    Buffer<Real> gradients_, first_moment_, second_moment_;
    Buffer<Real> average_;  // no memory where none is kept
    std::vector<std::int64_t> starts_, lengths_;  // copies: a change behind our back could lead outside the rows
    std::vector<std::int64_t> identity_, identity_that_counts_, batch_that_counts_;
    std::unique_ptr<MaskSource> masks_;
    std::unique_ptr<Targets<Real>> targets_;
    std::unique_ptr<BatchWorker<Real>> worker_;
    std::unique_ptr<CarriedBatch<Real>> carried_;  // with bptt
};

}  // namespace grulearn
