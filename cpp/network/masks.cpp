#include "masks.hpp"

#include <algorithm>
#include <cmath>

#include "cell_pass.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

// A bijection of 64 bits in which each bit of the input moves about half of the output's: SplitMix64's (Steele, Lea &
// Flood 2014).
std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9U;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

std::uint64_t combine(std::uint64_t key, std::uint64_t value) { return mix((key ^ value) + 0x9E3779B97F4A7C15U); }

std::uint64_t place_key(std::uint64_t seed, std::uint64_t epoch, MaskKind kind, std::int64_t index) {
    const std::uint64_t drawn = combine(combine(0, seed), epoch);
    return combine(combine(drawn, static_cast<std::uint64_t>(kind)), static_cast<std::uint64_t>(index));
}

}  // namespace

std::uint64_t sequence_key(std::uint64_t seed, std::uint64_t epoch, MaskKind kind, std::int64_t index,
                           std::int64_t sequence) {
    return combine(place_key(seed, epoch, kind, index), static_cast<std::uint64_t>(sequence));
}

std::uint64_t step_key(std::uint64_t sequence_key, std::int64_t position) {
    return combine(sequence_key, static_cast<std::uint64_t>(position));
}

std::int32_t mask_bound(double probability) { return static_cast<std::int32_t>(std::lround(probability * 0x1p24)); }

template <class Real>
void PlanMasks<Real>::begin(const MaskSource& source, const BatchPlan& plan, std::span<const std::int64_t> batch,
                            bool has_state) {
    const NetworkConfig& config = network_.config();
    plan_ = &plan;
    dropout_ = source.dropout;
    if (plan.steps <= 1 && !has_state) dropout_.recurrent_rate = 0.0;  // U multiplies nothing
    first_.resize(static_cast<std::size_t>(plan.rows));
    for (std::size_t i = 0; i < first_.size(); ++i) {
        const std::int64_t sequence = batch[static_cast<std::size_t>(plan.sequence[i])];
        first_[i] = plan.start[i] - source.starts[static_cast<std::size_t>(sequence)];
    }
    keys_.resize(static_cast<std::size_t>((config.num_layers + 2 * config.cells()) * plan.rows));
    if (drops()) {
        make_keys(source, batch, MaskKind::layer, config.num_layers - 1);
        make_keys(source, batch, MaskKind::head, 1);
    }
    if (config.zoneout > 0.0) make_keys(source, batch, MaskKind::zoneout, config.cells());
    if (!drops_recurrent()) return;
    make_keys(source, batch, MaskKind::recurrent, config.cells());
    make_recurrent_factors();
}

template <class Real>
std::int64_t PlanMasks<Real>::first_place(MaskKind kind) const {
    const NetworkConfig& config = network_.config();
    switch (kind) {
        case MaskKind::layer: return 0;
        case MaskKind::head: return config.num_layers - 1;
        case MaskKind::recurrent: return config.num_layers;
        case MaskKind::zoneout: return config.num_layers + config.cells();
    }
    return 0;
}

template <class Real>
void PlanMasks<Real>::make_keys(const MaskSource& source, std::span<const std::int64_t> batch, MaskKind kind,
                                std::int64_t count) {
    for (std::int64_t index = 0; index < count; ++index) {
        const std::uint64_t place =
            place_key(source.dropout.seed, static_cast<std::uint64_t>(source.epoch), kind, index);
        std::uint64_t* keys = keys_.data() + (first_place(kind) + index) * plan_->rows;
        for (std::int64_t i = 0; i < plan_->rows; ++i) {
            const auto in_batch = static_cast<std::size_t>(plan_->sequence[static_cast<std::size_t>(i)]);
            keys[i] = combine(place, static_cast<std::uint64_t>(batch[in_batch]));
        }
    }
}

template <class Real>
void PlanMasks<Real>::make_recurrent_factors() {
    const NetworkConfig& config = network_.config();
    factors_.resize(config.cells() * plan_->rows * config.hidden_size);
    const double kept = 1.0 - dropout_.recurrent_rate;
    for (std::int64_t cell = 0; cell < config.cells(); ++cell) {
        for (std::int64_t begin = 0; begin < plan_->rows; begin += kMaxGroup) {
            Real* out[kMaxGroup];
            DropRows<Real> rows;
            rows.mask.rows = std::min(kMaxGroup, plan_->rows - begin);
            rows.mask.end = config.hidden_size;
            rows.mask.keys = keys_.data() + (first_place(MaskKind::recurrent) + cell) * plan_->rows + begin;
            rows.mask.below = mask_bound(kept);
            rows.scale = static_cast<Real>(1.0 / kept);
            for (std::int64_t i = 0; i < rows.mask.rows; ++i) {
                out[i] = factors_.data() + (cell * plan_->rows + begin + i) * config.hidden_size;
            }
            rows.out = out;
            network_.kernels().drop_rows(rows);
        }
    }
}

template <class Real>
DropRows<Real> PlanMasks<Real>::dropout_of(std::int64_t units) const {
    DropRows<Real> rows;
    rows.mask.end = units;
    rows.mask.below = mask_bound(1.0 - dropout_.rate);
    rows.scale = static_cast<Real>(1.0 / (1.0 - dropout_.rate));
    return rows;
}

template <class Real>
RowSpace<Real> PlanMasks<Real>::drop_states(std::int64_t layer, const RowSpace<Real>& states, int n_jobs) {
    dropped_.resize(static_cast<std::size_t>(network_.config().num_layers - 1));
    dropped_[static_cast<std::size_t>(layer)].resize(plan_->row_steps() * network_.config().state_size());
    drop(layer, states, dropped_states(layer), n_jobs);
    return dropped_states(layer);
}

template <class Real>
RowSpace<Real> PlanMasks<Real>::dropped_states(std::int64_t layer) const {
    auto* base = const_cast<Real*>(dropped_[static_cast<std::size_t>(layer)].data());  // written by drop_states only
    return {base, network_.config().state_size(), RowOrder::time, nullptr};
}

template <class Real>
void PlanMasks<Real>::drop_gradients(std::int64_t layer, const RowSpace<Real>& gradients, int n_jobs) const {
    drop(layer, gradients, gradients, n_jobs);
}

template <class Real>
void PlanMasks<Real>::drop(std::int64_t layer, const RowSpace<Real>& from, const RowSpace<Real>& to, int n_jobs) const {
    const std::int64_t units = network_.config().state_size();
    const int threads = worthwhile_threads(n_jobs, plan_->row_steps() * units);
    for_row_blocks(threads, plan_->row_steps(), [&](std::int64_t begin, std::int64_t end) {
        std::uint64_t keys[kMaxGroup];
        const Real* x[kMaxGroup];
        Real* out[kMaxGroup];
        RowStep at = plan_->row_step(begin);
        for (std::int64_t i = 0; i < end - begin; ++i, at = plan_->next(at)) {
            keys[i] = step_key(key(MaskKind::layer, layer, at.row), first_[static_cast<std::size_t>(at.row)] + at.step);
            x[i] = from.at(*plan_, at.row, at.step);
            out[i] = to.at(*plan_, at.row, at.step);
        }
        DropRows<Real> rows = dropout_of(units);
        rows.mask.rows = end - begin;
        rows.mask.keys = keys;
        rows.x = x;
        rows.out = out;
        network_.kernels().drop_rows(rows);
    });
}

template <class Real>
void PlanMasks<Real>::head_factors(std::int64_t begin, std::int64_t end, Real* const* out) const {
    std::uint64_t keys[kMaxGroup];
    if (network_.config().per_step) {
        RowStep at = plan_->row_step(begin);
        for (std::int64_t i = 0; i < end - begin; ++i, at = plan_->next(at)) {
            keys[i] = step_key(key(MaskKind::head, 0, at.row), first_[static_cast<std::size_t>(at.row)] + at.step);
        }
    } else {
        for (std::int64_t i = begin; i < end; ++i) keys[i - begin] = key(MaskKind::head, 0, i);
    }
    DropRows<Real> rows = dropout_of(network_.config().state_size());
    rows.mask.rows = end - begin;
    rows.mask.keys = keys;
    rows.out = out;
    network_.kernels().drop_rows(rows);
}

template class PlanMasks<float>;
template class PlanMasks<double>;

}  // namespace grulearn
