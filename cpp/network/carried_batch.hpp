// A batch of sequences too long to go back through whole: taken in segments, with the states carried between them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "batch_worker.hpp"
#include "input_stage.hpp"

namespace grulearn {

// The memory is that of a segment, and a state for each cell and sequence. For networks in one direction.
template <class Real>
class CarriedBatch {
public:
    CarriedBatch(const Network<Real>& network, int n_jobs)
        : network_(network), n_jobs_(n_jobs), inputs_(network), masks_(network) {}

    // All sequences begin from zero. `sequences` and `batch` must live until the next call.
    void begin(const SequencesView<Real>& sequences, std::span<const std::int64_t> batch);

    // Makes the next `steps` steps of each sequence the segment; false where all have ended, or before `end`.
    bool next(std::int64_t steps, std::int64_t end);
    // The same of all but the last `steps` steps of each sequence, and then these.
    bool next_before_ends(std::int64_t steps);
    void ends(std::int64_t steps);

    [[nodiscard]] const BatchPlan& segment() const { return segment_; }
    // What the segment begins with and leaves.
    [[nodiscard]] CarriedStates<Real> states();
    // Takes the states through the segment, and nothing else. source null: no masks.
    void pass(const MaskSource* source);

private:
    // The segment of `plan` from step_ on.
    bool take(const BatchPlan& plan, std::int64_t steps, std::int64_t end);

    const Network<Real>& network_;
    int n_jobs_;
    InputStage<Real> inputs_;
    PlanMasks<Real> masks_;
    const SequencesView<Real>* sequences_ = nullptr;
    std::span<const std::int64_t> batch_;
    BatchPlan whole_, before_ends_, segment_;
    std::int64_t step_ = 0;          // where the next segment begins
    bool fresh_ = true;              // nothing has left states yet
    Buffer<Real> states_;            // [cell][sequence][H]
    std::vector<Buffer<Real>> layers_;  // states of a segment that is only passed
};

}  // namespace grulearn
