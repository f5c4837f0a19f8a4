// Recurrent dropout and zoneout, between the kernels of a step: chosen outside of their loops, which know neither.
#pragma once

#include <cstdint>

#include "cell_pass.hpp"

namespace grulearn {

// Of one cell over a batch. `part` says which panels a call is for.
template <class Real>
class StateHooks {
public:
    StateHooks(const Cell<Real>& cell, const CellData<Real>& data)
        : cell_(cell), data_(data), hidden_(cell.network->config().hidden_size) {}

    [[nodiscard]] bool zones() const { return cell_.network->config().zoneout > 0.0; }
    // Whether dh takes other ways than through the gates.
    [[nodiscard]] bool bypasses() const { return zones() || data_.drops_recurrent(); }

    // Forward, of rows [begin, end) at a step. From the states h that enter it, what U multiplies: out [rows], in
    // `scratch` or where they are kept.
    void mask_states(std::int64_t step, std::int64_t begin, std::int64_t end, const StepPart& part,
                     const Real* const* h, Real* scratch, const Real** out) const;
    // Keeps some of h (null: zeros) in `out`, the states after the step.
    void zone_out(std::int64_t step, std::int64_t begin, std::int64_t end, const StepPart& part, const Real* const* h,
                  Real* const* out) const;

    // Backward. way: the carry and the bypass of some rows, from `row` of the plan on, and a part of their panels.
    [[nodiscard]] BypassRows<Real> way(std::int64_t row, std::int64_t rows, const StepPart& part, Real* carry,
                                       Real* bypass) const;
    // Before the gate gradients: parts dh of step.carry, d_out and d_final, which step then has no more.
    void arrive(std::int64_t at, std::int64_t begin, std::int64_t end, BypassRows<Real> way,
                BackwardStep<Real>& step) const;
    // After the first phase: what z kept has not gone through U.
    void park(BypassRows<Real> way) const;
    // Once carry is complete but for them: brings both ways together.
    void leave(std::int64_t begin, std::int64_t end, BypassRows<Real> way) const;

private:
    [[nodiscard]] ZoneoutRows<Real> zoneout(std::int64_t step, std::int64_t begin, std::int64_t end,
                                            std::uint64_t* keys) const;
    [[nodiscard]] std::int64_t first_unit(const StepPart& part) const {
        return part.panel_begin * cell_.network->kernels().width;
    }
    [[nodiscard]] std::int64_t last_unit(const StepPart& part) const;

    const Cell<Real>& cell_;
    const CellData<Real>& data_;
    std::int64_t hidden_;
};

}  // namespace grulearn
