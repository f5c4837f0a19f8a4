#include "carried_batch.hpp"

#include <algorithm>

#include "recording.hpp"

namespace grulearn {

template <class Real>
void CarriedBatch<Real>::begin(const SequencesView<Real>& sequences, std::span<const std::int64_t> batch) {
    sequences_ = &sequences;
    batch_ = batch;
    whole_.build(sequences, batch);
    const NetworkConfig& config = network_.config();
    states_.resize_zeroed(config.cells() * whole_.rows * config.hidden_size);
    step_ = 0;
    fresh_ = true;
}

template <class Real>
bool CarriedBatch<Real>::take(const BatchPlan& plan, std::int64_t steps, std::int64_t end) {
    if (step_ >= std::min(plan.steps, end)) return false;
    fresh_ = step_ == 0;
    segment_.steps_of(plan, step_, step_ + std::min(steps, plan.steps - step_));
    step_ += segment_.steps;
    return true;
}

template <class Real>
bool CarriedBatch<Real>::next(std::int64_t steps, std::int64_t end) {
    return take(whole_, steps, end);
}

template <class Real>
bool CarriedBatch<Real>::next_before_ends(std::int64_t steps) {
    if (step_ == 0) before_ends_.all_but_ends_of(whole_, steps);
    return take(before_ends_, steps, before_ends_.steps);
}

template <class Real>
void CarriedBatch<Real>::ends(std::int64_t steps) {
    fresh_ = step_ == 0;
    segment_.ends_of(whole_, steps);
}

template <class Real>
CarriedStates<Real> CarriedBatch<Real>::states() {
    return {fresh_ ? nullptr : states_.data(), states_.data()};
}

template <class Real>
void CarriedBatch<Real>::pass(const MaskSource* source) {
    const NetworkConfig& config = network_.config();
    const Real* before = fresh_ ? nullptr : states_.data();
    const LayerInputs<Real> inputs = inputs_.forward(segment_, *sequences_, n_jobs_);
    if (source != nullptr) masks_.begin(*source, segment_, batch_, before != nullptr);
    forward_layers<Real>(network_, segment_, inputs, before, {}, layers_, nullptr,
                         source == nullptr ? nullptr : &masks_, n_jobs_);
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
        const RowSpace<Real> own{layers_[static_cast<std::size_t>(layer)].data(), config.state_size(), RowOrder::time,
                                 nullptr};
        final_states<Real>({&network_, layer, 0}, segment_, own, before,
                           states_.data() + layer * whole_.rows * config.hidden_size, config.hidden_size,
                           segment_.sequence.data(), 0, segment_.rows);
    }
}

template class CarriedBatch<float>;
template class CarriedBatch<double>;

}  // namespace grulearn
