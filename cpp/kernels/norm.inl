// Layer normalisation of the products with W and U, each gate's by itself (equations/cell.py states it): a step in
// stages, as a gate needs the whole row of its product. The products come from the kernels of other files.

constexpr real kNormEpsilon = static_cast<real>(1e-5);

GRULEARN_INLINE vec square_sum(vec x, vec sum) { return fma(x, x, sum); }

// x, and 0 in the lanes that pad the last panel.
template <int... I>
GRULEARN_INLINE vec first_of(vec x, int64_t lanes, Lanes<I...>) {
    if (lanes >= V) return x;
    const ivec number = {static_cast<integer>(I)...};
    return number < static_cast<integer>(lanes) ? x : vec{};
}

// 1 / sqrt(variance + epsilon) of each gate's product in a row, and their means.
struct Moments {
    real mean[3], scale[3];
};

GRULEARN_INLINE Moments moments_of(const real* product, int64_t stride, const CellShape& shape) {
    Moments moments;
    vec sum[3] = {};
    for (int64_t panel = 0; panel < shape.panels; ++panel) {  // padding is zero
        GRULEARN_UNROLL
        for (int g = 0; g < 3; ++g) sum[g] += load(product + panel * stride + g * V);
    }
    const real share = kOne / static_cast<real>(shape.hidden);
    GRULEARN_UNROLL
    for (int g = 0; g < 3; ++g) {
        moments.mean[g] = sum_lanes(sum[g]) * share;
        sum[g] = vec{};
    }
    for (int64_t panel = 0; panel < shape.panels; ++panel) {
        const int64_t lanes = lanes_of(shape.hidden, panel);
        GRULEARN_UNROLL
        for (int g = 0; g < 3; ++g) {
            const vec x = load(product + panel * stride + g * V) - splat(moments.mean[g]);
            sum[g] = square_sum(first_of(x, lanes, AllLanes{}), sum[g]);
        }
    }
    GRULEARN_UNROLL
    for (int g = 0; g < 3; ++g) {
        const vec variance = splat(sum_lanes(sum[g]) * share + kNormEpsilon);
        moments.scale[g] = kOne / square_root(variance)[0];
    }
    return moments;
}

GRULEARN_INLINE void normalise(vec (&x)[3], const real* product, const Moments& moments, int64_t lanes) {
    GRULEARN_UNROLL
    for (int g = 0; g < 3; ++g) {
        const vec centred = load(product + g * V) - splat(moments.mean[g]);
        x[g] = first_of(centred * splat(moments.scale[g]), lanes, AllLanes{});
    }
}

// gain * x + bias of gate g; those of U stand behind those of W.
GRULEARN_INLINE vec scaled(vec x, const real* gain, const real* bias, int64_t g) {
    return fma(load(gain + g * V), x, bias == nullptr ? vec{} : load(bias + g * V));
}

GRULEARN_INLINE void norm_row(const NormStep& a, int64_t row) {
    const CellShape& shape = a.shape;
    const real* by_w = a.inputs + row * 3 * V;
    const real* by_u = a.states == nullptr ? nullptr : a.states + row * 3 * V;
    const Moments of_w = moments_of(by_w, a.inputs_panel, shape);
    Moments of_u = {{0, 0, 0}, {0, 0, 0}};
    if (by_u != nullptr) {
        of_u = moments_of(by_u, a.states_panel, shape);
    } else {  // products of zero
        for (real& scale : of_u.scale) scale = kOne / square_root(splat(kNormEpsilon))[0];
    }
    for (int g = 0; g < 3; ++g) {
        a.scales[row * 6 + g] = of_w.scale[g];
        a.scales[row * 6 + 3 + g] = of_u.scale[g];
    }
    for (int64_t panel = 0; panel < shape.panels; ++panel) {
        const int64_t lanes = lanes_of(shape.hidden, panel);
        const real* gain = a.gain + panel * 6 * V;
        const real* bias = a.bias == nullptr ? nullptr : a.bias + panel * 6 * V;
        vec x[3], s[3] = {};
        normalise(x, by_w + panel * a.inputs_panel, of_w, lanes);
        if (by_u != nullptr) normalise(s, by_u + panel * a.states_panel, of_u, lanes);
        vec gates[2] = {scaled(x[0], gain, bias, 0) + scaled(s[0], gain, bias, 3),
                        scaled(x[1], gain, bias, 1) + scaled(s[1], gain, bias, 4)};
        sigmoid(gates);
        vec n[1] = {fma(gates[0], scaled(s[2], gain, bias, 5), scaled(x[2], gain, bias, 2))};
        hyperbolic_tangent(n);
        const vec h = state_of(a, a.mixed, row, panel);
        store_partial(a.out[row] + panel * V, fma(gates[1], h - n[0], n[0]), lanes);
        if (a.saved == nullptr) continue;
        real* to = a.saved + panel * a.saved_panel + row * kNormSlots * V;
        store(to, gates[0]);
        store(to + V, gates[1]);
        store(to + 2 * V, n[0]);
        for (int g = 0; g < 3; ++g) {
            store(to + (3 + g) * V, x[g]);
            store(to + (6 + g) * V, s[g]);
        }
    }
}

static void norm_step(const NormStep& a) {
    for (int64_t row = 0; row < a.rows; ++row) norm_row(a, row);
}

// First the gate gradients, and those by the normalised products: parked where the gradients by the products go.
GRULEARN_INLINE void norm_gate_gradients(const NormGradient& a, int64_t row, vec (&sum)[6], vec (&sum_x)[6]) {
    const CellShape& shape = a.shape;
    for (int64_t panel = 0; panel < shape.panels; ++panel) {
        const int64_t lanes = lanes_of(shape.hidden, panel);
        const real* saved = a.saved + panel * a.saved_panel + row * kNormSlots * V;
        const real* gain = a.gain + panel * 6 * V;
        real* carry = a.carry + panel * a.carry_panel + row * V;
        vec dh{};
        if (!a.first) {
            dh = load(carry);
        } else if (a.d_final != nullptr) {
            dh = load_partial(a.d_final[row] + panel * V, lanes);
        }
        if (a.d_out != nullptr) dh += load_partial(a.d_out[row] + panel * V, lanes);
        const vec r = load(saved), z = load(saved + V), n = load(saved + 2 * V);
        const vec q = scaled(load(saved + 8 * V), gain, a.bias == nullptr ? nullptr : a.bias + panel * 6 * V, 5);
        const vec h = state_of(a, a.mixed, row, panel);
        const vec da_n = dh * (kOne - z) * (kOne - n * n);
        const vec da_z = dh * (h - n) * z * (kOne - z);
        const vec da_r = da_n * q * r * (kOne - r);
        const vec dq = da_n * r;
        store(carry, dh * z);
        const int64_t at = panel * a.panel + row * 4 * V;
        const vec da[4] = {da_r, da_z, da_n, dq};
        for (int g = 0; g < 4; ++g) store(a.d_gates + at + g * V, da[g]);
        for (int g = 0; g < 3; ++g) {
            const vec d[2] = {load(gain + g * V) * da[g], load(gain + (3 + g) * V) * (g == 2 ? dq : da[g])};
            store(a.d_inputs + at + g * V, d[0]);
            store(a.d_states + at + (g == 2 ? 3 : g) * V, d[1]);
            for (int side = 0; side < 2; ++side) {
                sum[3 * side + g] += d[side];
                sum_x[3 * side + g] = fma(d[side], load(saved + (3 + 3 * side + g) * V), sum_x[3 * side + g]);
            }
        }
    }
}

// Through the normalisation: d -> scale * (d - mean of d - x * mean of d x).
GRULEARN_INLINE void norm_product_gradients(const NormGradient& a, int64_t row, const vec (&sum)[6],
                                            const vec (&sum_x)[6]) {
    const CellShape& shape = a.shape;
    const real share = kOne / static_cast<real>(shape.hidden);
    vec mean[6], mean_x[6], scale[6];
    for (int i = 0; i < 6; ++i) {
        mean[i] = splat(sum_lanes(sum[i]) * share);
        mean_x[i] = splat(sum_lanes(sum_x[i]) * share);
        scale[i] = splat(a.scales[row * 6 + i]);
    }
    for (int64_t panel = 0; panel < shape.panels; ++panel) {
        const int64_t lanes = lanes_of(shape.hidden, panel);
        const real* saved = a.saved + panel * a.saved_panel + row * kNormSlots * V;
        const int64_t at = panel * a.panel + row * 4 * V;
        for (int i = 0; i < 6; ++i) {
            real* d = i < 3 ? a.d_inputs + at + i * V : a.d_states + at + (i == 5 ? 3 : i - 3) * V;
            const vec x = load(saved + (3 + i) * V);
            const vec centred = fma(-x, mean_x[i], load(d) - mean[i]);
            store(d, first_of(centred * scale[i], lanes, AllLanes{}));
        }
    }
}

static void norm_gradient(const NormGradient& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        vec sum[6] = {}, sum_x[6] = {};
        norm_gate_gradients(a, row, sum, sum_x);
        norm_product_gradients(a, row, sum, sum_x);
    }
}

// In blocks of row-steps, as gradient.inl says why.
static void norm_gain_gradient(const NormGainGradient& a) {
    constexpr int from[6] = {0, 1, 2, 0, 1, 3};
    for (int64_t begin = 0; begin < a.count; begin += kBlock) {
        const int64_t end = begin + kBlock < a.count ? begin + kBlock : a.count;
        for (int64_t panel = a.panel_begin; panel < a.panel_end; ++panel) {
            vec sum[6] = {};
            for (int64_t row = begin; row < end; ++row) {
                const real* d = a.d_gates + panel * a.panel + row * 4 * V;
                const real* saved = a.saved + panel * a.saved_panel + row * kNormSlots * V;
                GRULEARN_UNROLL
                for (int i = 0; i < 6; ++i) sum[i] = fma(load(d + from[i] * V), load(saved + (3 + i) * V), sum[i]);
            }
            real* out = a.out + panel * 6 * V;
            for (int i = 0; i < 6; ++i) store(out + i * V, load(out + i * V) + sum[i]);
        }
    }
}
