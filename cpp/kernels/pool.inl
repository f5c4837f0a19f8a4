// Pooling the states of one sequence, and back. Vectors run along the units; equations/pooling.py states it.

// In blocks, as gradient.inl says why. A sum that is taken up again at a multiple of kPoolBlock has the same bits.
static void pool_sum(const PoolRows& a) {
    for (int64_t begin = 0; begin < a.count; begin += kPoolBlock) {
        const int64_t end = begin + kPoolBlock < a.count ? begin + kPoolBlock : a.count;
        for (int64_t k = 0; k < a.size; k += V) {
            const int64_t lanes = lanes_of(a.size, k / V);
            vec sum{};
            for (int64_t t = begin; t < end; ++t) {
                const real* x = a.x[a.reverse ? a.count - 1 - t : t];
                sum += load_partial(x + a.column + k, lanes);
            }
            store_partial(a.out + k, load_partial(a.out + k, lanes) + sum, lanes);
        }
    }
}

// NaN stays NaN.
static void pool_max(const PoolRows& a) {
    for (int64_t k = 0; k < a.size; k += V) {
        const int64_t lanes = lanes_of(a.size, k / V);
        vec largest = load_partial(a.out + k, lanes);
        for (int64_t t = 0; t < a.count; ++t) {
            const vec x = load_partial(a.x[t] + a.column + k, lanes);
            largest = (x > largest) | (x != x) ? x : largest;
        }
        store_partial(a.out + k, largest, lanes);
    }
}

static void pool_max_gradient(const PoolRows& a) {
    for (int64_t k = 0; k < a.size; k += V) {
        const int64_t lanes = lanes_of(a.size, k / V);
        const vec largest = load_partial(a.out + k, lanes);
        vec left = load_partial(a.d_out + k, lanes);
        for (int64_t t = 0; t < a.count; ++t) {
            const auto reached = load_partial(a.x[t] + k, lanes) == largest;
            store_partial(a.dx[t] + k, reached ? left : vec{}, lanes);
            left = reached ? vec{} : left;
        }
    }
}

// sum += the rows, each times its weight.
GRULEARN_INLINE void weighted_sum(const PoolRows& a) {
    for (int64_t k = 0; k < a.size; k += V) {
        const int64_t lanes = lanes_of(a.size, k / V);
        vec total{};
        for (int64_t begin = 0; begin < a.count; begin += kPoolBlock) {
            const int64_t end = begin + kPoolBlock < a.count ? begin + kPoolBlock : a.count;
            vec sum{};
            for (int64_t t = begin; t < end; ++t) {
                sum = fma(splat(a.weights[t]), load_partial(a.x[t] + k, lanes), sum);
            }
            total += sum;
        }
        store_partial(a.out + k, total, lanes);
    }
}

static void attention(const PoolRows& a) {
    if (a.count == 0) return;
    for (int64_t t = 0; t < a.count; ++t) a.weights[t] = a.scale * dot(a.query, a.x[t], a.size);
    const real largest = largest_of(a.weights, a.count);
    double total = 0.0;
    for (int64_t t = 0; t < a.count; t += V) {
        const int64_t lanes = lanes_of(a.count, t / V);
        const vec power = exponential(load_partial(a.weights + t, lanes) - splat(largest));
        store_partial(a.weights + t, power, lanes);
        total += sum_first(power, lanes);
    }
    const auto reciprocal = static_cast<real>(1.0 / total);
    for (int64_t t = 0; t < a.count; ++t) a.weights[t] *= reciprocal;
    weighted_sum(a);
}

// Through the softmax: the mean of the derivatives by the weights, weighted as the states are, is d_out times `out`.
static void attention_gradient(const PoolRows& a) {
    const real mean = dot(a.d_out, a.out, a.size);
    for (int64_t t = 0; t < a.count; ++t) {
        const real p = a.weights[t];
        const real d_score = p * (dot(a.d_out, a.x[t], a.size) - mean) * a.scale;
        a.weights[t] = d_score;
        for (int64_t k = 0; k < a.size; k += V) {
            const int64_t lanes = lanes_of(a.size, k / V);
            const vec direct = splat(p) * load_partial(a.d_out + k, lanes);
            store_partial(a.dx[t] + k, fma(splat(d_score), load_partial(a.query + k, lanes), direct), lanes);
        }
    }
}
