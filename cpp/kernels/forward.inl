// The forward step: tiles of R rows by P panels, all gates of a tile in registers, one pass over inputs and state.
//
// A row's sum always runs over the biases, then the inputs, then the state, whatever tile it falls into: the same bits
// for any batch.

// Rows of a full tile: 3 R accumulators, 3 weights and one broadcast must fit the registers (32 of AVX-512, 16 else).
// Each R instantiates one remainder tile. The parked accumulator of n costs R stores and loads a tile.
#if defined(__AVX512F__)
constexpr int kTileRows = 8;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr int kTileRows = 4;
#else
constexpr int kTileRows = 2;
#endif

// Panels of a tile of R rows: with few rows, more panels keep enough independent sums in flight
// (2 FMA ports * 4 cycles = 8 at least).
struct ForwardTiles {
    static constexpr int panels(int rows) { return rows * 2 > kTileRows ? 1 : rows * 4 > kTileRows ? 2 : 4; }
};

// Panels of a tile with one sum for each row and panel: two at least keep the loads of broadcasts below the FMAs.
struct ProductTiles {
    static constexpr int panels(int rows) { return rows * 2 > kTileRows ? 2 : 4; }
};

// acc[row][panel][First + g] += rows[row][k] * w[panel][k][First + g] over k.
template <int First, int Count, int R, int P, int G>
GRULEARN_INLINE void multiply(vec (&acc)[R][P][G], const real* const* rows, int64_t inputs, const real* w,
                              int64_t panel_stride) {
    const real* x[R];
    GRULEARN_UNROLL
    for (int i = 0; i < R; ++i) x[i] = rows[i];
    for (int64_t k = 0; k < inputs; ++k, w += 3 * V) {
        vec weight[P][Count];
        GRULEARN_UNROLL
        for (int p = 0; p < P; ++p) {
            GRULEARN_UNROLL
            for (int g = 0; g < Count; ++g) {
                weight[p][g] = load(w + p * panel_stride + (First + g) * V);
                if (R > 1) keep_in_register(weight[p][g]);
            }
        }
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            const vec a = splat(x[i][k]);
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                GRULEARN_UNROLL
                for (int g = 0; g < Count; ++g) {
                    acc[i][p][First + g] = fma(a, weight[p][g], acc[i][p][First + g]);
                }
            }
        }
    }
}

// Starts r and z at both biases and n at its input bias (reset_after) or both (reset_after=False).
template <int R, int P, class Step>
GRULEARN_INLINE void start_at_bias(vec (&acc)[R][P][3], const Step& a, int64_t panel) {
    GRULEARN_UNROLL
    for (int p = 0; p < P; ++p) {
        vec r{}, z{}, n{};
        if (a.bias != nullptr) {
            const real* b = a.bias + (panel + p) * 6 * V;
            r = load(b) + load(b + 3 * V);
            z = load(b + V) + load(b + 4 * V);
            n = a.shape.reset_after ? load(b + 2 * V) : load(b + 2 * V) + load(b + 5 * V);
        }
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            acc[i][p][0] = r;
            acc[i][p][1] = z;
            acc[i][p][2] = n;
        }
    }
}

// acc = biases + W x, here or ahead of the step: the same sums in the same order.
template <int R, int P, class Step>
GRULEARN_INLINE void multiply_inputs(vec (&acc)[R][P][3], const Step& a, int64_t row, int64_t panel) {
    const int64_t stride = a.shape.inputs * 3 * V;
    start_at_bias(acc, a, panel);
    multiply<0, 3>(acc, a.x + row, a.shape.inputs, a.w + panel * stride, stride);
}

template <int R, int P>
GRULEARN_INLINE void take_inputs(vec (&acc)[R][P][3], const ForwardStep& a, int64_t row, int64_t panel) {
    if (a.inputs == nullptr) {
        multiply_inputs(acc, a, row, panel);
        return;
    }
    GRULEARN_UNROLL
    for (int i = 0; i < R; ++i) {
        GRULEARN_UNROLL
        for (int p = 0; p < P; ++p) {
            const real* from = a.inputs + (panel + p) * a.inputs_panel + (row + i) * 3 * V;
            GRULEARN_UNROLL
            for (int g = 0; g < 3; ++g) acc[i][p][g] = load(from + g * V);
        }
    }
}

struct InputProducts : ForwardTiles {
    template <int R, int P>
    GRULEARN_INLINE void tile(const InputProduct& a, int64_t row, int64_t panel) {
        vec acc[R][P][3];
        multiply_inputs(acc, a, row, panel);
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                real* to = a.out + (panel + p) * a.out_panel + (row + i) * 3 * V;
                GRULEARN_UNROLL
                for (int g = 0; g < 3; ++g) store(to + g * V, acc[i][p][g]);
            }
        }
    }
};

// Activations follow in a function of their own that takes the sums from memory: in every tile they would be most of
// the code and of the build time, and they are as fast this way.

// The vectors of a tile, row by row.
template <int P>
struct Place {
    static constexpr int panels = P;
    int64_t row, panel;

    [[nodiscard]] int64_t row_of(int item) const { return row + item / P; }
    [[nodiscard]] int64_t panel_of(int item) const { return panel + item % P; }
};

// Of a row of a.h or a.mixed.
template <class Step>
GRULEARN_INLINE vec state_of(const Step& a, const real* const* states, int64_t row, int64_t panel) {
    return states == nullptr ? vec{} : load_partial(states[row] + panel * V, lanes_of(a.shape.hidden, panel));
}

// h' = (1 - z) n + z h
GRULEARN_INLINE void mix(const ForwardStep& a, int64_t row, int64_t panel, vec z, vec n) {
    const vec h = state_of(a, a.mixed, row, panel);
    store_partial(a.out[row] + panel * V, fma(z, h - n, n), lanes_of(a.shape.hidden, panel));
}

// reset_after: everything of a step in one pass.
struct ResetAfter : ForwardTiles {
    struct Sums {
        vec r, z, n_input, n_state;
    };

    template <int R, int P>
    GRULEARN_INLINE void tile(const ForwardStep& a, int64_t row, int64_t panel) {
        const int64_t u_stride = a.shape.hidden * 3 * V;
        Sums sums[R][P];
        vec acc[R][P][3];
        take_inputs(acc, a, row, panel);
        GRULEARN_UNROLL
        for (int p = 0; p < P; ++p) {
            const vec c_n = a.bias == nullptr ? vec{} : load(a.bias + (panel + p) * 6 * V + 5 * V);
            GRULEARN_UNROLL
            for (int i = 0; i < R; ++i) {
                sums[i][p].n_input = acc[i][p][2];
                acc[i][p][2] = c_n;
            }
        }
        if (a.h != nullptr) multiply<0, 3>(acc, a.h + row, a.shape.hidden, a.u + panel * u_stride, u_stride);
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                sums[i][p].r = acc[i][p][0];
                sums[i][p].z = acc[i][p][1];
                sums[i][p].n_state = acc[i][p][2];
            }
        }
        finish_all(a, &sums[0][0], Place<P>{row, panel}, R);
    }

    template <int P>
    GRULEARN_NOINLINE void finish_all(const ForwardStep& a, const Sums* sums, const Place<P>& place, int rows) {
        in_groups<ResetAfter, kActivations>(0, rows * place.panels, a, sums, place);
    }

    template <int N, int P>
    GRULEARN_INLINE void finish(const ForwardStep& a, const Sums* sums, const Place<P>& place, int first) {
        vec r[N], z[N], n[N];
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) r[i] = sums[first + i].r;
        sigmoid(r);
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) n[i] = fma(r[i], sums[first + i].n_state, sums[first + i].n_input);
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) z[i] = sums[first + i].z;
        sigmoid(z);
        hyperbolic_tangent(n);
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) {
            const int64_t row = place.row_of(first + i);
            const int64_t panel = place.panel_of(first + i);
            mix(a, row, panel, z[i], n[i]);
            if (a.gates == nullptr) continue;
            real* g = a.gates + panel * a.gates_panel + row * 4 * V;
            store(g, r[i]);
            store(g + V, z[i]);
            store(g + 2 * V, n[i]);
            store(g + 3 * V, sums[first + i].n_state);
        }
    }
};

// reset_after=False, first phase: r and z of all panels, r * h, and the input part of n (parked in its gate slot).
struct ResetBeforeGates : ForwardTiles {
    template <int R, int P>
    GRULEARN_INLINE void tile(const ForwardStep& a, int64_t row, int64_t panel) {
        const int64_t u_stride = a.shape.hidden * 3 * V;
        vec acc[R][P][3];
        take_inputs(acc, a, row, panel);
        if (a.h != nullptr) multiply<0, 2>(acc, a.h + row, a.shape.hidden, a.u + panel * u_stride, u_stride);
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                real* g = a.gates + (panel + p) * a.gates_panel + (row + i) * 3 * V;
                store(g, acc[i][p][0]);
                store(g + V, acc[i][p][1]);
                store(g + 2 * V, acc[i][p][2]);
            }
        }
        finish_all(a, Place<P>{row, panel}, R);
    }

    template <int P>
    GRULEARN_NOINLINE void finish_all(const ForwardStep& a, const Place<P>& place, int rows) {
        in_groups<ResetBeforeGates, kActivations>(0, rows * place.panels, a, place);
    }

    template <int N, int P>
    GRULEARN_INLINE void finish(const ForwardStep& a, const Place<P>& place, int first) {
        real* g[N];
        vec r[N], z[N];
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) {
            g[i] = a.gates + place.panel_of(first + i) * a.gates_panel + place.row_of(first + i) * 3 * V;
            r[i] = load(g[i]);
            z[i] = load(g[i] + V);
        }
        sigmoid(r);
        sigmoid(z);
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) {
            const int64_t row = place.row_of(first + i);
            const int64_t panel = place.panel_of(first + i);
            store(g[i], r[i]);
            store(g[i] + V, z[i]);
            store(a.reset_state + (row * a.shape.panels + panel) * V, r[i] * state_of(a, a.h, row, panel));
        }
    }
};

// reset_after=False, second phase: n from r * h, and the new state.
struct ResetBeforeState : ProductTiles {
    template <int R, int P>
    GRULEARN_INLINE void tile(const ForwardStep& a, int64_t row, int64_t panel) {
        const int64_t u_stride = a.shape.hidden * 3 * V;
        vec acc[R][P][3];
        const real* s[R];
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            s[i] = a.reset_state + (row + i) * a.shape.panels * V;
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                acc[i][p][2] = load(a.gates + (panel + p) * a.gates_panel + (row + i) * 3 * V + 2 * V);
            }
        }
        if (a.h != nullptr) multiply<2, 1>(acc, s, a.shape.hidden, a.u + panel * u_stride, u_stride);
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                store(a.gates + (panel + p) * a.gates_panel + (row + i) * 3 * V + 2 * V, acc[i][p][2]);
            }
        }
        finish_all(a, Place<P>{row, panel}, R);
    }

    template <int P>
    GRULEARN_NOINLINE void finish_all(const ForwardStep& a, const Place<P>& place, int rows) {
        in_groups<ResetBeforeState, kActivations>(0, rows * place.panels, a, place);
    }

    template <int N, int P>
    GRULEARN_INLINE void finish(const ForwardStep& a, const Place<P>& place, int first) {
        real* g[N];
        vec n[N];
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) {
            g[i] = a.gates + place.panel_of(first + i) * a.gates_panel + place.row_of(first + i) * 3 * V;
            n[i] = load(g[i] + 2 * V);
        }
        hyperbolic_tangent(n);
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) {
            mix(a, place.row_of(first + i), place.panel_of(first + i), load(g[i] + V), n[i]);
            store(g[i] + 2 * V, n[i]);
        }
    }
};

// All panels of R rows, P at a time, then fewer.
template <class Phase, int R, int P, class Args>
GRULEARN_INLINE void over_panels(const Args& a, int64_t row, int64_t begin, int64_t end) {
    for (; begin + P <= end; begin += P) Phase::template tile<R, P>(a, row, begin);
    if constexpr (P > 1) over_panels<Phase, R, P / 2>(a, row, begin, end);
}

template <class Phase, int R, class Args>
GRULEARN_INLINE void remainder_rows(const Args& a, int64_t row, int64_t left, int64_t panel_begin, int64_t panel_end) {
    if constexpr (R > 0) {
        if (left == R) {
            over_panels<Phase, R, Phase::panels(R)>(a, row, panel_begin, panel_end);
        } else {
            remainder_rows<Phase, R - 1>(a, row, left, panel_begin, panel_end);
        }
    }
}

// Every tile of a step. Panels outside, rows inside: a panel's weights are read once from the outer caches and reused
// by all rows.
template <class Phase, class Args>
static void over_tiles(const Args& a, int64_t rows, int64_t panel_begin, int64_t panel_end) {
    constexpr int P = Phase::panels(kTileRows);
    const int64_t full = rows / kTileRows * kTileRows;
    int64_t panel = panel_begin;
    for (; panel + P <= panel_end; panel += P) {
        for (int64_t row = 0; row < full; row += kTileRows) Phase::template tile<kTileRows, P>(a, row, panel);
    }
    if constexpr (P > 1) {
        for (int64_t row = 0; row < full; row += kTileRows) {
            over_panels<Phase, kTileRows, P / 2>(a, row, panel, panel_end);
        }
    }
    remainder_rows<Phase, kTileRows - 1>(a, full, rows - full, panel_begin, panel_end);
}

static void forward_step(const ForwardStep& a) {
    const StepPart& part = a.part;
    if (a.shape.reset_after) {
        over_tiles<ResetAfter>(a, a.rows, part.panel_begin, part.panel_end);
        return;
    }
    if (part.first_phase) over_tiles<ResetBeforeGates>(a, a.rows, part.panel_begin, part.panel_end);
    if (part.second_phase) over_tiles<ResetBeforeState>(a, a.rows, part.panel_begin, part.panel_end);
}

static void input_product(const InputProduct& a) { over_tiles<InputProducts>(a, a.rows, a.panel_begin, a.panel_end); }
