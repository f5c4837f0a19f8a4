// What outputs stand for, in their place: the other side of loss.inl. equations/losses.py states it.

struct Rate {
    GRULEARN_INLINE vec of(vec a) { return exponential(a); }
};

struct Probability {
    GRULEARN_INLINE vec of(vec a) { return softplus(a).slope; }
};

struct Softened {
    GRULEARN_INLINE vec of(vec a) { return positive_part(a) + softplus(a).beyond; }
};

// All outputs. A row's bits do not depend on where in a vector it stands.
template <class Of>
GRULEARN_INLINE void map_outputs(const LinkRows& a) {
    const int64_t count = a.rows * a.outputs;
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = lanes_of(count, i / V);
        store_partial(a.out + i, Of::of(load_partial(a.out + i, lanes)), lanes);
    }
}

// The outputs of a target but for one of them, which stays as it is.
template <class Of>
GRULEARN_INLINE void map_all_but(const LinkRows& a, int64_t per_target, int64_t kept) {
    const int64_t count = a.rows * a.outputs;
    int64_t k = 0;
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = lanes_of(count, i / V);
        real mapped[V];
        store(mapped, Of::of(load_partial(a.out + i, lanes)));
        for (int64_t lane = 0; lane < lanes; ++lane) {
            if (k != kept) a.out[i + lane] = mapped[lane];
            k = k + 1 < per_target ? k + 1 : 0;
        }
    }
}

// From the anchor outwards: each is the one before plus (below the anchor: minus) the softplus of its output.
static void link_quantiles(const LinkRows& a) {
    map_all_but<Softened>(a, a.n_quantiles, a.anchor);
    for (real* q = a.out; q < a.out + a.rows * a.outputs; q += a.n_quantiles) {
        for (int64_t k = a.anchor + 1; k < a.n_quantiles; ++k) q[k] = q[k - 1] + q[k];
        for (int64_t k = a.anchor - 1; k >= 0; --k) q[k] = q[k + 1] - q[k];
    }
}

static void link_gaussian(const LinkRows& a) {
    map_all_but<Softened>(a, 2, 0);
    for (int64_t i = 1; i < a.rows * a.outputs; i += 2) a.out[i] += static_cast<real>(kSmallestScale);
}

// Moved so that the largest of a row is 0, as in cross_entropy_loss.
static void link_classes(const LinkRows& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        real* out = a.out + row * a.outputs;
        const real largest = largest_of(out, a.outputs);
        for (int64_t o = 0; o < a.outputs; ++o) out[o] -= largest;
    }
    map_outputs<Rate>(a);
    for (int64_t row = 0; row < a.rows; ++row) {
        real* power = a.out + row * a.outputs;
        const real total = sum_of(power, a.outputs);
        for (int64_t o = 0; o < a.outputs; ++o) power[o] /= total;
    }
}

static void link(const LinkRows& a) {
    switch (a.loss) {
        case Loss::squared_error:
        case Loss::absolute_error:
        case Loss::huber: return;
        case Loss::pinball: return link_quantiles(a);
        case Loss::poisson: return map_outputs<Rate>(a);
        case Loss::gaussian: return link_gaussian(a);
        case Loss::cross_entropy: return link_classes(a);
        case Loss::binary_cross_entropy: return map_outputs<Probability>(a);
    }
}
