// Losses and their derivatives by the outputs, which they replace. equations/losses.py states them.

// Sums are of doubles: each loss, in `real`, is added by itself.
GRULEARN_INLINE double sum_first(vec x, int64_t lanes) {
    real values[V];
    store(values, x);
    double sum = 0.0;
    for (int64_t i = 0; i < lanes; ++i) sum += values[i];
    return sum;
}

// What counts nothing adds nothing, even where it is infinite or not a number.
GRULEARN_INLINE vec weighted(vec x, vec weight) { return weight > vec{} ? weight * x : vec{}; }
GRULEARN_INLINE real weighted(real x, real weight) { return weight > 0 ? weight * x : 0; }

struct LossTerm {
    vec loss, slope;
};

struct SquaredError {
    GRULEARN_INLINE LossTerm of(vec a, vec y, const LossRows&) {
        const vec error = a - y;
        return {error * error, error + error};
    }
};

struct AbsoluteError {
    GRULEARN_INLINE LossTerm of(vec a, vec y, const LossRows&) {
        const vec error = a - y;
        const vec sign = error > vec{} ? splat(kOne) : (error < vec{} ? splat(-kOne) : vec{});
        return {error < vec{} ? -error : error, sign};
    }
};

struct Huber {
    GRULEARN_INLINE LossTerm of(vec a, vec y, const LossRows& rows) {
        const vec error = a - y;
        const vec bounded = clamp(error, -rows.delta, rows.delta);
        return {bounded * (error - bounded * splat(static_cast<real>(0.5))), bounded};
    }
};

struct Poisson {
    GRULEARN_INLINE LossTerm of(vec a, vec y, const LossRows&) {
        const vec rate = exponential(a);
        const vec y_log_y = y > vec{} ? y * natural_log(y) : vec{};
        return {(rate - y) + (y_log_y - y * a), rate - y};
    }
};

struct BinaryCrossEntropy {
    GRULEARN_INLINE LossTerm of(vec a, vec y, const LossRows&) {
        const Softplus plus = softplus(a);
        // First what may be large: it cancels exactly where a is large and y is what a says.
        return {(positive_part(a) - a * y) + plus.beyond, plus.slope - y};
    }
};

struct SmoothBinaryCrossEntropy {
    GRULEARN_INLINE LossTerm of(vec a, vec y, const LossRows& rows) {
        const vec half = splat(rows.smoothing / 2);
        return BinaryCrossEntropy::of(a, fma(splat(kOne - rows.smoothing), y, half), rows);
    }
};

// Losses with one output for each target: rows do not matter.
template <class Of>
GRULEARN_INLINE double elementwise(const LossRows& a) {
    const int64_t count = a.rows * a.outputs;
    double sum = 0.0;
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = lanes_of(count, i / V);
        LossTerm term = Of::of(load_partial(a.out + i, lanes), load_partial(a.wanted + i, lanes), a);
        if (a.weights != nullptr) {
            const vec weight = load_partial(a.weights + i, lanes);
            term = {weighted(term.loss, weight), weighted(term.slope, weight)};
        }
        store_partial(a.out + i, term.slope, lanes);
        sum += sum_first(term.loss, lanes);
    }
    return sum;
}

GRULEARN_INLINE real weight_of(const LossRows& a, int64_t i) { return a.weights == nullptr ? kOne : a.weights[i]; }

// scratch[0] = softplus, scratch[1] = its slope, of all outputs.
GRULEARN_INLINE void softplus_of_outputs(const LossRows& a) {
    const int64_t count = a.rows * a.outputs;
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = lanes_of(count, i / V);
        const vec x = load_partial(a.out + i, lanes);
        const Softplus plus = softplus(x);
        store_partial(a.scratch + i, positive_part(x) + plus.beyond, lanes);
        store_partial(a.scratch + count + i, plus.slope, lanes);
    }
}

// The quantiles of one target, from the anchor outwards: each is the one before plus (below the anchor: minus) the
// softplus of its output.
struct QuantileGroup {
    real* out;          // [levels]
    const real* step;   // [levels] softplus of `out`
    const real* slope;  // its derivative
    real* d;            // the loss's derivatives by the quantiles
    real y, weight;
    real loss = 0;
};

GRULEARN_INLINE void add_quantile(QuantileGroup& g, int64_t k, real quantile, real level) {
    const real error = g.y - quantile;
    g.loss += error >= 0 ? level * error : (level - 1) * error;
    g.d[k] = weighted(error > 0 ? -level : (error < 0 ? 1 - level : 0), g.weight);
}

// An output moves all quantiles from its own outwards.
GRULEARN_INLINE void quantile_slopes(const QuantileGroup& g, int64_t levels, int64_t anchor) {
    real above = 0, below = 0;
    for (int64_t k = levels - 1; k > anchor; --k) {
        above += g.d[k];
        g.out[k] = above * g.slope[k];
    }
    for (int64_t k = 0; k < anchor; ++k) {
        below += g.d[k];
        g.out[k] = -below * g.slope[k];
    }
    g.out[anchor] = g.d[anchor] + (above + below);
}

static double pinball_loss(const LossRows& a) {
    softplus_of_outputs(a);
    const int64_t count = a.rows * a.outputs;
    const int64_t levels = a.n_quantiles;
    double sum = 0.0;
    for (int64_t i = 0; i < a.rows * a.targets; ++i) {
        real* scratch = a.scratch + i * levels;
        QuantileGroup g{a.out + i * levels,  scratch,     scratch + count,
                        scratch + 2 * count, a.wanted[i], weight_of(a, i)};
        const real anchor = g.out[a.anchor];
        real quantile = anchor;
        add_quantile(g, a.anchor, anchor, a.quantiles[a.anchor]);
        for (int64_t k = a.anchor + 1; k < levels; ++k) {
            quantile += g.step[k];
            add_quantile(g, k, quantile, a.quantiles[k]);
        }
        quantile = anchor;
        for (int64_t k = a.anchor - 1; k >= 0; --k) {
            quantile -= g.step[k];
            add_quantile(g, k, quantile, a.quantiles[k]);
        }
        quantile_slopes(g, levels, a.anchor);
        sum += weighted(g.loss, g.weight);
    }
    return sum;
}

static double gaussian_loss(const LossRows& a) {
    softplus_of_outputs(a);
    constexpr auto floor = static_cast<real>(kSmallestScale);
    constexpr auto half_log_two_pi = static_cast<real>(0.918938533204672742);
    const int64_t count = a.rows * a.outputs;
    real* scale = a.scratch;
    const real* slope = a.scratch + count;
    real* log_scale = a.scratch + 2 * count;
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = lanes_of(count, i / V);
        const vec each = load_partial(scale + i, lanes) + splat(floor);
        store_partial(scale + i, each, lanes);
        store_partial(log_scale + i, natural_log(each), lanes);
    }
    double sum = 0.0;
    for (int64_t i = 0; i < a.rows * a.targets; ++i) {
        const real weight = weight_of(a, i);
        real* mean = a.out + 2 * i;
        const int64_t raw = 2 * i + 1;
        const real precision = kOne / scale[raw];
        const real error = (a.wanted[i] - *mean) * precision;
        const real loss = half_log_two_pi + log_scale[raw] + error * error / 2;
        *mean = weighted(-error * precision, weight);
        a.out[raw] = weighted((kOne - error * error) * precision * slope[raw], weight);
        sum += weighted(loss, weight);
    }
    return sum;
}

// NaN if there is one. With few outputs a vector would be mostly empty.
GRULEARN_INLINE real largest_of(const real* x, int64_t count) {
    real largest = x[0];
    for (int64_t i = 1; i < count; ++i) largest = x[i] <= largest ? largest : x[i];
    return largest;
}

GRULEARN_INLINE real sum_of(const real* x, int64_t count) {
    if (count < V) {
        real sum = 0;
        for (int64_t i = 0; i < count; ++i) sum += x[i];
        return sum;
    }
    vec sum{};
    for (int64_t i = 0; i < count; i += V) sum += load_partial(x + i, lanes_of(count, i / V));
    return sum_lanes(sum);
}

// A row's loss where each class wants a part of the target; `out`, its logits, become the derivatives.
GRULEARN_INLINE double smooth_cross_entropy(const LossRows& a, real* out, const real* power, int64_t wanted,
                                            real weight, real total) {
    const real most = kOne - a.smoothing, each = a.smoothing / static_cast<real>(a.outputs);
    const real loss = natural_log(splat(total))[0] - (most * out[wanted] + each * sum_of(out, a.outputs));
    const real share = weight / total;
    for (int64_t o = 0; o < a.outputs; ++o) out[o] = share * power[o] - weight * each;
    out[wanted] -= weight * most;
    return weight * loss;
}

// Logits are first moved so that the largest of a row is 0: then no power overflows, and their sum is at least 1.
static double cross_entropy_loss(const LossRows& a) {
    const int64_t count = a.rows * a.outputs;
    real* power = a.scratch;
    for (int64_t row = 0; row < a.rows; ++row) {
        real* out = a.out + row * a.outputs;
        const real largest = largest_of(out, a.outputs);
        for (int64_t o = 0; o < a.outputs; ++o) out[o] -= largest;
    }
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = lanes_of(count, i / V);
        store_partial(power + i, exponential(load_partial(a.out + i, lanes)), lanes);
    }
    double sum = 0.0;
    for (int64_t row = 0; row < a.rows; ++row, power += a.outputs) {
        real* out = a.out + row * a.outputs;
        const real weight = weight_of(a, row);
        if (!(weight > 0)) {
            for (int64_t o = 0; o < a.outputs; ++o) out[o] = 0;
            continue;
        }
        const real total = sum_of(power, a.outputs);
        const auto wanted = a.classes[row];
        if (a.smoothing > 0) {
            sum += smooth_cross_entropy(a, out, power, wanted, weight, total);
            continue;
        }
        sum += weight * (natural_log(splat(total))[0] - out[wanted]);
        const real share = weight / total;
        for (int64_t o = 0; o < a.outputs; ++o) out[o] = share * power[o];
        out[wanted] -= weight;
    }
    return sum;
}

static double loss_and_slope(const LossRows& a) {
    switch (a.loss) {
        case Loss::squared_error: return elementwise<SquaredError>(a);
        case Loss::absolute_error: return elementwise<AbsoluteError>(a);
        case Loss::huber: return elementwise<Huber>(a);
        case Loss::pinball: return pinball_loss(a);
        case Loss::poisson: return elementwise<Poisson>(a);
        case Loss::gaussian: return gaussian_loss(a);
        case Loss::cross_entropy: return cross_entropy_loss(a);
        case Loss::binary_cross_entropy:
            return a.smoothing > 0 ? elementwise<SmoothBinaryCrossEntropy>(a) : elementwise<BinaryCrossEntropy>(a);
    }
    return 0.0;
}
