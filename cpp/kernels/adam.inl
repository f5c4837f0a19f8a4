// The optimiser: one pass over parameters, gradients and moments. `count` is a multiple of V: packed parameters are
// padded, and the padding stays zero (its gradients are zero).

static void adam(const AdamStep& a) {
    const vec scale = splat(a.gradient_scale);
    const vec keep1 = splat(a.keep1), take1 = splat(a.take1);
    const vec keep2 = splat(a.keep2), take2 = splat(a.take2);
    for (int64_t i = 0; i < a.count; i += V) {
        const vec g = load(a.gradients + i) * scale;
        store(a.gradients + i, vec{});
        const vec m = fma(keep1, load(a.first_moment + i), take1 * g);
        const vec v = fma(keep2, load(a.second_moment + i), take2 * g * g);
        store(a.first_moment + i, m);
        store(a.second_moment + i, v);
        const vec denominator = fma(square_root(v), splat(a.second_correction), splat(a.epsilon));
        const vec p = load(a.parameters + i) * splat(a.decay_factor);
        store(a.parameters + i, p - divide(splat(a.step_size) * m, denominator));
    }
}

static void average(const AverageStep& a) {
    const vec keep = splat(a.keep), take = splat(a.take);
    for (int64_t i = 0; i < a.count; i += V) {
        store(a.average + i, fma(keep, load(a.average + i), take * load(a.values + i)));
    }
}

// Each lane sums over 1024 vectors at most, then in double: in float32 exact to about 1e-6 for any length.
static double sum_of_squares(const real* values, int64_t count) {
    double total = 0.0;
    constexpr int64_t block = 1024 * V;
    for (int64_t begin = 0; begin < count; begin += block) {
        const int64_t end = begin + block < count ? begin + block : count;
        vec sum{};
        for (int64_t i = begin; i < end; i += V) {
            const vec x = load(values + i);
            sum = fma(x, x, sum);
        }
        real lanes[V];
        store(lanes, sum);
        for (int i = 0; i < V; ++i) total += lanes[i];
    }
    return total;
}
