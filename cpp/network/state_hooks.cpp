#include "state_hooks.hpp"

#include <algorithm>

namespace grulearn {

template <class Real>
std::int64_t StateHooks<Real>::last_unit(const StepPart& part) const {
    return std::min(hidden_, part.panel_end * cell_.network->kernels().width);
}

template <class Real>
void StateHooks<Real>::mask_states(std::int64_t step, std::int64_t begin, std::int64_t end, const StepPart& part,
                                   const Real* const* h, Real* scratch, const Real** out) const {
    const Real* factor[kMaxGroup];
    Real* to[kMaxGroup];
    for (std::int64_t i = begin; i < end; ++i) {
        factor[i - begin] = data_.masks->recurrent_factors(cell_.index(), i);
        to[i - begin] = scratch == nullptr ? data_.masked.at(*data_.plan, i, step) : scratch + (i - begin) * hidden_;
    }
    ScaleRows<Real> rows;
    rows.rows = end - begin;
    rows.begin = first_unit(part);
    rows.end = last_unit(part);
    rows.factor = factor;
    rows.x = h;
    rows.out = to;
    cell_.network->kernels().scale_rows(rows);
    std::copy_n(to, end - begin, out);
}

template <class Real>
ZoneoutRows<Real> StateHooks<Real>::zoneout(std::int64_t step, std::int64_t begin, std::int64_t end,
                                            std::uint64_t* keys) const {
    ZoneoutRows<Real> rows;
    if (data_.masks != nullptr) {
        const auto position = [&](std::int64_t i) { return cell_.position(*data_.plan, i, step); };
        rows.mask = data_.masks->zoneout(cell_.index(), begin, end, keys, position);
    } else {
        rows.mask.rows = end - begin;
        rows.kept = static_cast<Real>(cell_.network->config().zoneout);
    }
    return rows;
}

template <class Real>
void StateHooks<Real>::zone_out(std::int64_t step, std::int64_t begin, std::int64_t end, const StepPart& part,
                                const Real* const* h, Real* const* out) const {
    std::uint64_t keys[kMaxGroup];
    ZoneoutRows<Real> rows = zoneout(step, begin, end, keys);
    rows.mask.begin = first_unit(part);
    rows.mask.end = last_unit(part);
    rows.h = h;
    rows.out = out;
    cell_.network->kernels().zoneout(rows);
}

template <class Real>
BypassRows<Real> StateHooks<Real>::way(std::int64_t row, std::int64_t rows, const StepPart& part, Real* carry,
                                       Real* bypass) const {
    const std::int64_t width = cell_.network->kernels().width;
    BypassRows<Real> way;
    way.rows = rows;
    way.begin = first_unit(part);
    way.end = last_unit(part);
    way.carry = carry + row * width;
    way.bypass = bypass + row * width;
    way.panel = data_.plan->rows * width;
    return way;
}

template <class Real>
void StateHooks<Real>::arrive(std::int64_t at, std::int64_t begin, std::int64_t end, BypassRows<Real> way,
                              BackwardStep<Real>& step) const {
    if (!zones()) return;
    std::uint64_t keys[kMaxGroup];
    ZoneoutGradient<Real> parts;
    parts.forward = zoneout(at, begin, end, keys);
    parts.way = way;
    parts.first = step.first;
    parts.d_final = step.d_final;
    parts.d_out = step.d_out;
    cell_.network->kernels().zoneout_gradient(parts);
    step.first = false;
    step.d_final = step.d_out = nullptr;
}

template <class Real>
void StateHooks<Real>::park(BypassRows<Real> way) const {
    if (!data_.drops_recurrent()) return;
    way.add = zones();
    cell_.network->kernels().park_gradient(way);
}

template <class Real>
void StateHooks<Real>::leave(std::int64_t begin, std::int64_t end, BypassRows<Real> way) const {
    const Real* factor[kMaxGroup];
    if (data_.drops_recurrent()) {
        for (std::int64_t i = begin; i < end; ++i) {
            factor[i - begin] = data_.masks->recurrent_factors(cell_.index(), i);
        }
        way.factor = factor;
    }
    cell_.network->kernels().leaving_gradient(way);
}

template class StateHooks<float>;
template class StateHooks<double>;

}  // namespace grulearn
