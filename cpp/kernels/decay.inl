// GRU-D: what is missing fades, and so does the state. Vectors run along features or units; equations/inputs.py states
// it.

// e^-max(0, rate); NaN stays NaN.
GRULEARN_INLINE vec decay_factor(vec rate) { return exponential(rate < vec{} ? vec{} : -rate); }

// Derivative of that factor by the rate, given the factor: at the kink it is 0.
GRULEARN_INLINE vec decay_slope(vec rate, vec factor) { return rate > vec{} ? -factor : vec{}; }

GRULEARN_INLINE vec input_rate(const DecayInputs& a, const real* gap, int64_t k, int64_t lanes) {
    return fma(load_partial(a.weight + k, lanes), load_partial(gap + k, lanes), load_partial(a.bias + k, lanes));
}

static void decay_inputs(const DecayInputs& a) {
    const int64_t features = a.features;
    for (int64_t row = 0; row < a.rows; ++row) {
        const real* x = a.x[row];
        for (int64_t k = 0; k < features; k += V) {
            const int64_t lanes = lanes_of(features, k / V);
            const vec value = load_partial(x + k, lanes);
            const vec mask = load_partial(x + features + k, lanes);
            const vec factor = decay_factor(input_rate(a, x + 2 * features, k, lanes));
            store_partial(a.out[row] + k, fma(mask, value, (kOne - mask) * factor * value), lanes);
            store_partial(a.out[row] + features + k, mask, lanes);
        }
    }
}

static void decay_inputs_gradient(const DecayInputs& a) {
    const int64_t features = a.features;
    for (int64_t k = 0; k < features; k += V) {
        const int64_t lanes = lanes_of(features, k / V);
        vec by_weight{}, by_bias{};
        for (int64_t row = 0; row < a.rows; ++row) {
            const real* x = a.x[row];
            const vec value = load_partial(x + k, lanes);
            const vec mask = load_partial(x + features + k, lanes);
            const vec rate = input_rate(a, x + 2 * features, k, lanes);
            const vec d_factor = load_partial(a.d_out[row] + k, lanes) * (kOne - mask) * value;
            const vec d_rate = d_factor * decay_slope(rate, decay_factor(rate));
            by_weight = fma(d_rate, load_partial(x + 2 * features + k, lanes), by_weight);
            by_bias += d_rate;
        }
        store_partial(a.d_weight + k, load_partial(a.d_weight + k, lanes) + by_weight, lanes);
        store_partial(a.d_bias + k, load_partial(a.d_bias + k, lanes) + by_bias, lanes);
    }
}

GRULEARN_INLINE int64_t padded_size(int64_t size) { return (size + V - 1) / V * V; }

GRULEARN_INLINE vec state_rate(const DecayStates& a, const real* gap, int64_t k) {
    vec rate = load(a.bias + k);
    const real* weight = a.weight + k;
    for (int64_t f = 0; f < a.features; ++f, weight += padded_size(a.hidden)) {
        rate = fma(splat(gap[f]), load(weight), rate);
    }
    return rate;
}

static void decay_states(const DecayStates& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        for (int64_t k = 0; k < a.hidden; k += V) {
            const int64_t lanes = lanes_of(a.hidden, k / V);
            const vec factor = decay_factor(state_rate(a, a.gap[row], k));
            store_partial(a.out[row] + k, factor * load_partial(a.h[row] + k, lanes), lanes);
        }
    }
}

// The derivative of the factor times h is that of its exponent times the faded state.
static void decay_states_gradient(const DecayStatesGradient& a) {
    const int64_t hidden = a.forward.hidden;
    for (int64_t row = 0; row < a.forward.rows; ++row) {
        for (int64_t k = 0; k < hidden; k += V) {
            const int64_t lanes = lanes_of(hidden, k / V);
            const vec rate = state_rate(a.forward, a.forward.gap[row], k);
            real* carry = a.carry + k / V * a.carry_panel + row * V;
            const vec d_faded = load(carry);
            const vec d_rate = -d_faded * load_partial(a.faded[row] + k, lanes);
            store(a.d_rates + row * padded_size(hidden) + k, rate > vec{} ? d_rate : vec{});
            store(carry, d_faded * decay_factor(rate));
        }
    }
}

// In blocks of row-steps, as gradient.inl says why.
static void decay_rate_gradient(const DecayRateGradient& a) {
    const int64_t padded = padded_size(a.hidden);
    for (int64_t begin = 0; begin < a.count; begin += kBlock) {
        const int64_t end = begin + kBlock < a.count ? begin + kBlock : a.count;
        for (int64_t k = a.panel_begin * V; k < a.panel_end * V; k += V) {
            for (int64_t f = 0; f < a.features; ++f) {
                vec sum{};
                for (int64_t row = begin; row < end; ++row) {
                    sum = fma(splat(a.gap[row][f]), load(a.d_rates + row * padded + k), sum);
                }
                real* to = a.d_weight + f * padded + k;
                store(to, load(to) + sum);
            }
            vec sum{};
            for (int64_t row = begin; row < end; ++row) sum += load(a.d_rates + row * padded + k);
            store(a.d_bias + k, load(a.d_bias + k) + sum);
        }
    }
}
