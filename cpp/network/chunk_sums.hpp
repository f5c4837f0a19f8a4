// What is made of a chunk's gate gradients, once they are there: sums into those of the parameters, and those of the
// inputs.
#pragma once

#include <cstdint>

#include "cell_pass.hpp"

namespace grulearn {

// By the gates' arguments, and by their products with W and U, which without layer normalisation are the same.
enum class GradientBy { gates, inputs, states };

// Where gradients of a chunk's row-steps stand.
template <class Real>
class ChunkPlaces {
public:
    using Chunk = Chunks::Chunk;

    ChunkPlaces(const Cell<Real>& cell, const CellGradients<Real>& gradients, BackwardScratch<Real>& scratch)
        : gradients_(gradients),
          scratch_(scratch),
          panels_(cell.shape().panels),
          width_(cell.network->kernels().width),
          normalises_(cell.normalises()) {}

    [[nodiscard]] std::int64_t count(const Chunk& chunk) const { return offset(chunk.end) - offset(chunk.begin); }

    // Makes room for what does not replace the saved gates.
    void resize(const Chunk& chunk) const {
        if (normalises_) scratch_.norm.resize(3 * count(chunk) * panels_ * kSlots * width_);
    }

    [[nodiscard]] typename GateStore<Real>::Place at(const Chunk& chunk, GradientBy what, std::int64_t step,
                                                     std::int64_t row) const {
        if (!normalises_) return gradients_.gates.at(step, row);
        const std::int64_t panel = count(chunk) * kSlots * width_;
        Real* base = scratch_.norm.data() + static_cast<std::int64_t>(what) * panel * panels_;
        return {base + (offset(step) - offset(chunk.begin) + row) * kSlots * width_, panel};
    }

private:
    static constexpr std::int64_t kSlots = 4;  // of NormGradient
    [[nodiscard]] std::int64_t offset(std::int64_t step) const {
        return gradients_.gates.plan->offset[static_cast<std::size_t>(step)];
    }

    const CellGradients<Real>& gradients_;
    BackwardScratch<Real>& scratch_;
    const std::int64_t panels_, width_;
    const bool normalises_;
};

template <class Real>
class ChunkSums {
public:
    using Chunk = Chunks::Chunk;

    ChunkSums(const Cell<Real>& cell, const CellData<Real>& data, const CellGradients<Real>& gradients,
              const ChunkPlaces<Real>& places, BackwardScratch<Real>& scratch, int threads)
        : cell_(cell),
          data_(data),
          plan_(*data.plan),
          gradients_(gradients),
          places_(places),
          scratch_(scratch),
          shape_(cell.shape()),
          padded_(cell.padded_hidden()),
          width_(cell.network->kernels().width),
          threads_(threads) {}

    void add_parameter_gradients(const Chunk& chunk);
    void input_gradients(const Chunk& chunk) const;

private:
    [[nodiscard]] std::int64_t offset(std::int64_t step) const { return plan_.offset[static_cast<std::size_t>(step)]; }
    [[nodiscard]] std::int64_t active(std::int64_t step) const { return plan_.active[static_cast<std::size_t>(step)]; }

    // What is summed over the row-steps of a chunk, and where to: all of dW, dU and the bias gradients.
    struct Sums {
        WeightGradient<Real> w;
        WeightGradient<Real> u[2];  // with reset_after=False the candidate reads r * h, the other gates h
        int n_u = 1;
        BiasGradient<Real> bias;
    };
    // Makes room for pointers to the inputs and previous states of a chunk's row-steps.
    void resize_row_pointers(const Chunk& chunk);
    // Fills them in for rows [begin, end) of step t; a first step may have no previous states.
    void collect_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end) const;
    [[nodiscard]] Sums sums_of(const Chunk& chunk);
    void gain_gradients(const Chunk& chunk) const;
    void rate_gradients(const Chunk& chunk) const;
    // Row-steps of a chunk that have no previous state and add nothing to dU.
    [[nodiscard]] std::int64_t without_state(const Chunk& chunk) const;
    void sum_by_panel(const Sums& sums, int threads) const;

    const Cell<Real>& cell_;
    const CellData<Real>& data_;
    const BatchPlan& plan_;
    const CellGradients<Real>& gradients_;
    const ChunkPlaces<Real>& places_;
    BackwardScratch<Real>& scratch_;
    const CellShape shape_;
    const std::int64_t padded_, width_;
    const int threads_;
};

}  // namespace grulearn
