// The random masks of a batch. Each is a function of what it belongs to, so that neither batches nor threads, segments
// or recomputation change it: the seed, the epoch, a kind with a layer or cell, the sequence, and the step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/kernels.hpp"
#include "batch_plan.hpp"
#include "grulearn/buffer.hpp"
#include "grulearn/network.hpp"
#include "grulearn/training.hpp"

namespace grulearn {

enum class MaskKind : std::uint64_t {
    layer,      // dropout of a layer's states on their way to the next layer; by layer, sequence and step
    head,       // dropout before the head; by sequence, and with a target for each step by step
    recurrent,  // by cell and sequence: constant over time
    zoneout,    // by cell, sequence and step
};

// Key of the masks of a sequence, and of one of its steps.
std::uint64_t sequence_key(std::uint64_t seed, std::uint64_t epoch, MaskKind kind, std::int64_t index,
                           std::int64_t sequence);
std::uint64_t step_key(std::uint64_t sequence_key, std::int64_t position);
// MaskRows::below for a mask that is 1 with this probability.
std::int32_t mask_bound(double probability);

// What the masks of a trainer are drawn from.
struct MaskSource {
    DropoutConfig dropout;
    std::int64_t epoch = 0;
    std::span<const std::int64_t> starts;  // of all sequences: steps are counted from them
};

// Masks for the rows of a plan, with their memory, kept from one plan to the next.
template <class Real>
class PlanMasks {
public:
    explicit PlanMasks(const Network<Real>& network) : network_(network) {}

    // batch: the sequences that plan.sequence counts in. has_state: they do not begin from zero. The plan must live
    // until the next call.
    void begin(const MaskSource& source, const BatchPlan& plan, std::span<const std::int64_t> batch, bool has_state);

    [[nodiscard]] bool drops() const { return dropout_.rate > 0.0; }
    [[nodiscard]] bool drops_recurrent() const { return dropout_.recurrent_rate > 0.0; }

    // A row's factors of recurrent dropout, H of them.
    [[nodiscard]] const Real* recurrent_factors(std::int64_t cell, std::int64_t row) const {
        return factors_.data() + (cell * plan_->rows + row) * network_.config().hidden_size;
    }

    // Zoneout's masks for rows [begin, end) at a position each; keys: memory for those.
    template <class Position>
    [[nodiscard]] MaskRows zoneout(std::int64_t cell, std::int64_t begin, std::int64_t end, std::uint64_t* keys,
                                   const Position& position) const {
        for (std::int64_t i = begin; i < end; ++i) {
            keys[i - begin] =
                step_key(key(MaskKind::zoneout, cell, i), first_[static_cast<std::size_t>(i)] + position(i));
        }
        return {end - begin, 0, network_.config().hidden_size, keys, mask_bound(network_.config().zoneout)};
    }

    // The states of a layer as the next one reads them, and the gradients by those (in place) by the states.
    [[nodiscard]] RowSpace<Real> drop_states(std::int64_t layer, const RowSpace<Real>& states, int n_jobs);
    [[nodiscard]] RowSpace<Real> dropped_states(std::int64_t layer) const;
    void drop_gradients(std::int64_t layer, const RowSpace<Real>& gradients, int n_jobs) const;

    // What dropout multiplies the head's items [begin, end) with: out [end - begin] factors, D * H each.
    void head_factors(std::int64_t begin, std::int64_t end, Real* const* out) const;

private:
    [[nodiscard]] std::uint64_t key(MaskKind kind, std::int64_t index, std::int64_t row) const {
        return keys_[static_cast<std::size_t>((first_place(kind) + index) * plan_->rows + row)];
    }
    // Of a kind, in keys_: those of the layers, the head, and two for each cell.
    [[nodiscard]] std::int64_t first_place(MaskKind kind) const;
    void make_keys(const MaskSource& source, std::span<const std::int64_t> batch, MaskKind kind, std::int64_t count);
    void make_recurrent_factors();
    [[nodiscard]] DropRows<Real> dropout_of(std::int64_t units) const;
    void drop(std::int64_t layer, const RowSpace<Real>& from, const RowSpace<Real>& to, int n_jobs) const;

    const Network<Real>& network_;
    const BatchPlan* plan_ = nullptr;
    DropoutConfig dropout_;
    std::vector<std::uint64_t> keys_;  // [place][rows]
    std::vector<std::int64_t> first_;  // [rows] the step of its sequence where the plan begins
    Buffer<Real> factors_;             // [cell][rows][H]
    std::vector<Buffer<Real>> dropped_;  // [layer] (row-steps, D * H)
};

}  // namespace grulearn
