// The linear head: few outputs, so the vectors run along the inputs.

GRULEARN_INLINE real dot(const real* a, const real* b, int64_t count) {
    vec sum{};
    int64_t k = 0;
    for (; k + V <= count; k += V) sum = fma(load(a + k), load(b + k), sum);
    if (k < count) sum = fma(load_partial(a + k, count - k), load_partial(b + k, count - k), sum);
    return sum_lanes(sum);
}

static void head_forward(const HeadForward& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        for (int64_t o = 0; o < a.outputs; ++o) {
            a.out[row * a.outputs + o] = a.b[o] + dot(a.x[row], a.w + o * a.inputs, a.inputs);
        }
    }
}

static void head_input_gradient(const HeadInputGradient& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        for (int64_t k = 0; k < a.inputs; k += V) {
            const int64_t lanes = lanes_of(a.inputs, k / V);
            vec sum{};
            for (int64_t o = 0; o < a.outputs; ++o) {
                sum = fma(splat(a.d_out[row * a.outputs + o]), load_partial(a.w + o * a.inputs + k, lanes), sum);
            }
            store_partial(a.dx + row * a.inputs + k, sum, lanes);
        }
    }
}

// In blocks of rows, as gradient.inl says why.
static void head_weight_gradient(const HeadWeightGradient& a) {
    for (int64_t begin = 0; begin < a.rows; begin += kBlock) {
        const int64_t end = begin + kBlock < a.rows ? begin + kBlock : a.rows;
        for (int64_t o = 0; o < a.outputs; ++o) {
            for (int64_t k = 0; k < a.inputs; k += V) {
                const int64_t lanes = lanes_of(a.inputs, k / V);
                vec sum{};
                for (int64_t row = begin; row < end; ++row) {
                    const vec d = splat(a.d_out[row * a.outputs + o]);
                    sum = fma(d, load_partial(a.x[row] + k, lanes), sum);
                }
                real* to = a.dw + o * a.inputs + k;
                store_partial(to, load_partial(to, lanes) + sum, lanes);
            }
        }
    }
    for (int64_t o = 0; o < a.outputs; ++o) {
        double sum = 0.0;
        for (int64_t row = 0; row < a.rows; ++row) sum += a.d_out[row * a.outputs + o];
        a.db[o] += static_cast<real>(sum);
    }
}
