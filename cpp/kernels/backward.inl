// The backward step: dh as a product of the next step's gate gradients with U transposed, and this step's gate
// gradients in the same tile, while dh is still in registers.

// Memory that a tile reads at its end, fetched piece by piece while it multiplies: R rows of P panels of saved gates
// come from beyond the L2 at large sizes, and waiting for them took a tenth of a training step.
template <int P>
struct Ahead {
    const real* from[P] = {};
    int64_t lines = 0;  // of each
    static constexpr int kLine = 64;

    __attribute__((always_inline)) void fetch(int64_t part, int64_t parts) const {
        for (int64_t line = lines * part / parts; line < lines * (part + 1) / parts; ++line) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) __builtin_prefetch(from[p] + line * (kLine / static_cast<int>(sizeof(real))));
        }
    }
};

// acc[panel] += the same for one row: a sum for each slot, as one for all would wait for itself at every unit.
template <int Slots, int P>
GRULEARN_INLINE void multiply_gates_of_row(vec (&acc)[1][P], const real* gates, int64_t gates_panel,
                                           const CellShape& shape, const int (&slots)[3], const real* w,
                                           int64_t panel_stride) {
    vec sum[Slots][P] = {};
    for (int64_t panel = 0; panel < shape.panels; ++panel, gates += gates_panel) {
        const int64_t lanes = lanes_of(shape.hidden, panel);
        for (int64_t k = 0; k < lanes; ++k, w += V) {
            GRULEARN_UNROLL
            for (int s = 0; s < Slots; ++s) {
                const vec a = splat(gates[slots[s] * V + k]);
                GRULEARN_UNROLL
                for (int p = 0; p < P; ++p) sum[s][p] = fma(a, load(w + s * lanes * V + p * panel_stride), sum[s][p]);
            }
        }
        w += (Slots - 1) * lanes * V;
    }
    GRULEARN_UNROLL
    for (int p = 0; p < P; ++p) {
        GRULEARN_UNROLL
        for (int s = 0; s < Slots; ++s) acc[0][p] += sum[s][p];
    }
}

// acc[row][panel] += sum over units and the given gate slots of gates[row] * w[panel], w as packed by `transpose`.
template <int Slots, int R, int P>
GRULEARN_INLINE void multiply_gates(vec (&acc)[R][P], const real* gates, int64_t gates_panel, const CellShape& shape,
                                    const int (&slots)[3], const real* w, int64_t panel_stride, const Ahead<P>& ahead) {
    if constexpr (R == 1) {
        multiply_gates_of_row<Slots>(acc, gates, gates_panel, shape, slots, w, panel_stride);
        return;
    }
    const int64_t row_stride = shape.slots() * V;
    for (int64_t panel = 0; panel < shape.panels; ++panel, gates += gates_panel) {
        const int64_t lanes = lanes_of(shape.hidden, panel);
        ahead.fetch(panel, shape.panels);
        for (int s = 0; s < Slots; ++s) {
            const real* rows[R];
            GRULEARN_UNROLL
            for (int i = 0; i < R; ++i) rows[i] = gates + i * row_stride + slots[s] * V;
            for (int64_t k = 0; k < lanes; ++k, w += V) {
                vec weight[P];
                GRULEARN_UNROLL
                for (int p = 0; p < P; ++p) {
                    weight[p] = load(w + p * panel_stride);
                    keep_in_register(weight[p]);
                }
                GRULEARN_UNROLL
                for (int i = 0; i < R; ++i) {
                    const vec a = splat(rows[i][k]);
                    GRULEARN_UNROLL
                    for (int p = 0; p < P; ++p) acc[i][p] = fma(a, weight[p], acc[i][p]);
                }
            }
        }
    }
}

constexpr int kSlotsRecurrentAfter[3] = {0, 1, 3};  // r, z, q
constexpr int kSlotsInput[3] = {0, 1, 2};           // r, z, n; the first two: r, z of reset_after=False
constexpr int kSlotCandidate[3] = {2, 0, 0};        // n alone

// dh of a tile, then the gate gradients of this step (for reset_after=False all but r's, which needs every panel's n).
struct GateGradients : ProductTiles {
    template <int R, int P>
    GRULEARN_INLINE void tile(const BackwardStep& a, int64_t row, int64_t panel) {
        const CellShape& shape = a.shape;
        vec dh[R][P];
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                dh[i][p] = incoming(a, row + i, panel + p);
                if (a.d_out != nullptr) {
                    dh[i][p] += load_partial(a.d_out[row + i] + (panel + p) * V, lanes_of(shape.hidden, panel + p));
                }
            }
        }
        if (a.next_gates != nullptr) {
            const real* next = a.next_gates + row * shape.slots() * V;
            const int64_t slot_stride = shape.hidden * V;
            if (shape.reset_after) {
                multiply_gates<3>(dh, next, a.next_panel, shape, kSlotsRecurrentAfter, a.u_t + panel * 3 * slot_stride,
                                  3 * slot_stride, ahead<R, P>(a, row, panel));
            } else {
                multiply_gates<2>(dh, next, a.next_panel, shape, kSlotsInput, a.u_t + panel * 2 * slot_stride,
                                  2 * slot_stride, ahead<R, P>(a, row, panel));
            }
        }
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) store(a.carry + (panel + p) * a.carry_panel + (row + i) * V, dh[i][p]);
        }
        if (a.gates == nullptr) return;
        finish(a, row, R, panel, P);
    }

    template <int R, int P>
    GRULEARN_INLINE Ahead<P> ahead(const BackwardStep& a, int64_t row, int64_t panel) {
        Ahead<P> own;
        if (a.gates == nullptr) return own;
        own.lines = R * a.shape.slots() * kVectorBytes / Ahead<P>::kLine;
        for (int p = 0; p < P; ++p) own.from[p] = a.gates + (panel + p) * a.gates_panel + row * a.shape.slots() * V;
        return own;
    }

    // What reaches dh without passing through U.
    GRULEARN_INLINE vec incoming(const BackwardStep& a, int64_t row, int64_t panel) {
        if (!a.first) return load(a.carry + panel * a.carry_panel + row * V);
        if (a.d_final == nullptr) return vec{};
        return load_partial(a.d_final[row] + panel * V, lanes_of(a.shape.hidden, panel));
    }

    // carry holds all of dh here, and dh * z afterwards.
    GRULEARN_NOINLINE void finish(const BackwardStep& a, int64_t row, int rows, int64_t panel, int panels) {
        for (int i = 0; i < rows; ++i) {
            for (int p = 0; p < panels; ++p) finish_one(a, row + i, panel + p);
        }
    }

    GRULEARN_INLINE void finish_one(const BackwardStep& a, int64_t row, int64_t panel) {
        real* carry = a.carry + panel * a.carry_panel + row * V;
        const vec dh = load(carry);
        const int64_t slots = a.shape.slots();
        real* g = a.gates + panel * a.gates_panel + row * slots * V;
        const vec r = load(g);
        const vec z = load(g + V);
        const vec n = load(g + 2 * V);
        const vec h = state_of(a, a.mixed, row, panel);
        const vec da_n = dh * (kOne - z) * (kOne - n * n);
        store(carry, dh * z);
        store(g + V, dh * (h - n) * z * (kOne - z));
        store(g + 2 * V, da_n);
        if (a.shape.reset_after) {
            store(g, da_n * load(g + 3 * V) * r * (kOne - r));
            store(g + 3 * V, da_n * r);
        }
    }
};

// reset_after=False, second phase: ds = da_n U_n with s = r * h; from it r's gradient and the rest of dh.
struct ResetGradient : ProductTiles {
    template <int R, int P>
    GRULEARN_INLINE void tile(const BackwardStep& a, int64_t row, int64_t panel) {
        const CellShape& shape = a.shape;
        const int64_t stride = shape.hidden * V;
        vec ds[R][P] = {};
        const real* gates = a.gates + row * 3 * V;
        multiply_gates<1>(ds, gates, a.gates_panel, shape, kSlotCandidate, a.u_t_candidate + panel * stride, stride,
                          Ahead<P>{});
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) store(a.reset_state + ((row + i) * shape.panels + panel + p) * V, ds[i][p]);
        }
        finish(a, row, R, panel, P);
    }

    // reset_state holds ds here, and r * h afterwards.
    GRULEARN_NOINLINE void finish(const BackwardStep& a, int64_t row, int rows, int64_t panel, int panels) {
        for (int i = 0; i < rows; ++i) {
            for (int p = 0; p < panels; ++p) finish_one(a, row + i, panel + p);
        }
    }

    GRULEARN_INLINE void finish_one(const BackwardStep& a, int64_t row, int64_t panel) {
        const int64_t at = (row * a.shape.panels + panel) * V;
        real* g = a.gates + panel * a.gates_panel + row * 3 * V;
        real* carry = a.carry + panel * a.carry_panel + row * V;
        const vec ds = load(a.reset_state + at);
        const vec r = load(g);
        const vec h = state_of(a, a.h, row, panel);
        store(a.reset_state + at, r * h);
        store(carry, fma(ds, r, load(carry)));
        store(g, ds * h * r * (kOne - r));
    }
};

// reset_after=False at a first step whose state is zero and whose gradient nobody asks for.
static void clear_reset_gradient(const BackwardStep& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        for (int64_t panel = a.part.panel_begin; panel < a.part.panel_end; ++panel) {
            store(a.gates + panel * a.gates_panel + row * 3 * V, vec{});
            store(a.reset_state + (row * a.shape.panels + panel) * V, vec{});
        }
    }
}

static void backward_step(const BackwardStep& a) {
    const StepPart& part = a.part;
    if (part.first_phase) over_tiles<GateGradients>(a, a.rows, part.panel_begin, part.panel_end);
    if (a.shape.reset_after || a.gates == nullptr || !part.second_phase) return;
    if (a.u_t_candidate == nullptr) {
        clear_reset_gradient(a);
    } else {
        over_tiles<ResetGradient>(a, a.rows, part.panel_begin, part.panel_end);
    }
}

struct InputGradients : ProductTiles {
    template <int R, int P>
    GRULEARN_INLINE void tile(const InputGradient& a, int64_t row, int64_t panel) {
        const int64_t stride = 3 * a.shape.hidden * V;
        vec dx[R][P] = {};
        const real* gates = a.gates + row * a.shape.slots() * V;
        multiply_gates<3>(dx, gates, a.gates_panel, a.shape, kSlotsInput, a.w_t + panel * stride, stride, Ahead<P>{});
        GRULEARN_UNROLL
        for (int i = 0; i < R; ++i) {
            GRULEARN_UNROLL
            for (int p = 0; p < P; ++p) {
                const int64_t lanes = lanes_of(a.shape.inputs, panel + p);
                real* out = a.dx[row + i] + (panel + p) * V;
                const vec sum = a.add ? load_partial(out, lanes) + dx[i][p] : dx[i][p];
                store_partial(out, sum, lanes);
            }
        }
    }
};

static void input_gradient(const InputGradient& a) {
    over_tiles<InputGradients>(a, a.rows, a.panel_begin, a.panel_end);
}

// packed [panel][k][3][V] -> [panel of k][(panel, gate, lane)][V], block by block of V x V.
static void transpose(const CellShape& shape, const real* packed, int64_t n_inputs, int first_gate, int n_gates,
                      real* out) {
    const int64_t depth = n_gates * shape.hidden;
    for (int64_t k = 0; k < n_inputs; k += V) {
        real* to = out + k * depth;
        for (int64_t panel = 0; panel < shape.panels; ++panel) {
            const int64_t lanes = lanes_of(shape.hidden, panel);
            for (int g = first_gate; g < first_gate + n_gates; ++g, to += lanes * V) {
                vec block[V] = {};
                const real* from = packed + ((panel * n_inputs + k) * 3 + g) * V;
                for (int64_t i = 0; i < lanes_of(n_inputs, k / V); ++i) block[i] = load(from + i * 3 * V);
                transpose_block(block);
                for (int64_t i = 0; i < lanes; ++i) store(to + i * V, block[i]);
            }
        }
    }
}
