// Sums over row-steps: dW, dU and the bias gradients, straight into the packed layout of the weights.
//
// A sum is cut into blocks of kBlock row-steps that are added to the gradient one after another. The cut depends on the
// data's shape alone, so any number of threads gives the same bits; and short sums keep float32 accurate.

constexpr int64_t kBlock = 128;

// Inputs of a tile: as many broadcasts as a forward tile has rows.
constexpr int kTileInputs = kTileRows;

// One panel, K inputs, G gates: acc[k][g] = sum of gates[row-step][slot g] * inputs[row-step][k].
template <int K, int G>
GRULEARN_INLINE void gradient_tile(const WeightGradient& a, int64_t begin, int64_t end, int64_t panel, int64_t input) {
    vec acc[K][G] = {};
    const int64_t slots = a.shape.slots();
    const real* gates = a.gates + panel * a.gates_panel + begin * slots * V;
    for (int64_t row = begin; row < end; ++row, gates += slots * V) {
        const real* x = a.inputs[row] + input;
        vec d[G];
        GRULEARN_UNROLL
        for (int g = 0; g < G; ++g) {
            d[g] = load(gates + a.slots[g] * V);
            if (K > 1) keep_in_register(d[g]);
        }
        GRULEARN_UNROLL
        for (int k = 0; k < K; ++k) {
            const vec value = splat(x[k]);
            GRULEARN_UNROLL
            for (int g = 0; g < G; ++g) acc[k][g] = fma(value, d[g], acc[k][g]);
        }
    }
    real* out = a.out + (panel * a.n_inputs + input) * 3 * V;
    GRULEARN_UNROLL
    for (int k = 0; k < K; ++k) {
        GRULEARN_UNROLL
        for (int g = 0; g < G; ++g) {
            real* to = out + (k * 3 + a.first_gate + g) * V;
            store(to, load(to) + acc[k][g]);
        }
    }
}

template <int K, int G>
GRULEARN_INLINE void remainder_inputs(const WeightGradient& a, int64_t begin, int64_t end, int64_t panel,
                                      int64_t input) {
    if constexpr (K > 0) {
        if (a.input_end - input == K) {
            gradient_tile<K, G>(a, begin, end, panel, input);
        } else {
            remainder_inputs<K - 1, G>(a, begin, end, panel, input);
        }
    }
}

template <int G>
static void weight_gradient_of(const WeightGradient& a) {
    for (int64_t begin = 0; begin < a.count; begin += kBlock) {
        const int64_t end = begin + kBlock < a.count ? begin + kBlock : a.count;
        for (int64_t panel = a.panel_begin; panel < a.panel_end; ++panel) {
            int64_t input = a.input_begin;
            for (; input + kTileInputs <= a.input_end; input += kTileInputs) {
                gradient_tile<kTileInputs, G>(a, begin, end, panel, input);
            }
            remainder_inputs<kTileInputs - 1, G>(a, begin, end, panel, input);
        }
    }
}

static void weight_gradient(const WeightGradient& a) {
    if (a.n_gates == 3) {
        weight_gradient_of<3>(a);
    } else if (a.n_gates == 2) {
        weight_gradient_of<2>(a);
    } else {
        weight_gradient_of<1>(a);
    }
}

template <int Slots>
static void bias_gradient_of(const BiasGradient& a) {
    constexpr int from[6] = {0, 1, 2, 0, 1, Slots - 1};  // reset_after=False adds b_n and c_n to the same sum
    for (int64_t begin = 0; begin < a.count; begin += kBlock) {
        const int64_t end = begin + kBlock < a.count ? begin + kBlock : a.count;
        for (int64_t panel = a.panel_begin; panel < a.panel_end; ++panel) {
            vec sum[Slots] = {};
            for (int64_t row = begin; row < end; ++row) {
                const real* g = a.gates + panel * a.gates_panel + row * Slots * V;
                GRULEARN_UNROLL
                for (int s = 0; s < Slots; ++s) sum[s] += load(g + s * V);
            }
            real* out = a.out + panel * 6 * V;
            GRULEARN_UNROLL
            for (int i = 0; i < 6; ++i) store(out + i * V, load(out + i * V) + sum[from[i]]);
        }
    }
}

static void bias_gradient(const BiasGradient& a) {
    if (a.shape.reset_after) {
        bias_gradient_of<4>(a);
    } else {
        bias_gradient_of<3>(a);
    }
}
