// Random masks, and what is done with them: dropout, recurrent dropout, zoneout. equations/masks.py states them.
//
// A mask is a function of the row's key and the unit's number: whoever asks again, in whatever order or tile, gets the
// same one (a counter-based generator, Salmon et al. 2011). The key, 64 bits that are mixed in the network's code, is
// different for each row; its halves enter a bijection of 32 bits, two multiplications with constants from Wellons'
// search for hash functions of low bias, before the first and before the second of them. Two multiplications a vector,
// where Philox takes twenty for four.

typedef std::uint32_t uvec __attribute__((vector_size(V * 4)));  // as many lanes as a vec

template <int... I>
GRULEARN_INLINE uvec lane_numbers(Lanes<I...>) {
    return uvec{static_cast<std::uint32_t>(I)...};
}

// All bits of a lane where the mask is 1. unit: that of the first lane.
GRULEARN_INLINE ivec draw_mask(const MaskRows& a, int64_t row, int64_t unit) {
    const auto low = static_cast<std::uint32_t>(a.keys[row]);
    const auto high = static_cast<std::uint32_t>(a.keys[row] >> 32);
    constexpr std::uint32_t kOdd = 0x9E3779B9U;  // 2^32 over the golden ratio: neighbours are far apart
    uvec x = (lane_numbers(AllLanes{}) + static_cast<std::uint32_t>(unit)) * kOdd + low;
    x ^= x >> 16;
    x *= 0x21F0AAADU;
    x ^= x >> 15;
    x ^= high;
    x *= 0xD35A2D97U;
    x ^= x >> 15;
    typedef int32_t signed_lanes __attribute__((vector_size(V * 4)));
    return __builtin_convertvector((signed_lanes)(x >> 8) < a.below, ivec);  // 24 bits: no sign
}

static void drop_rows(const DropRows& a) {
    const vec scale = splat(a.scale);
    for (int64_t row = 0; row < a.mask.rows; ++row) {
        for (int64_t k = a.mask.begin; k < a.mask.end; k += V) {
            const int64_t lanes = lanes_of(a.mask.end, k / V);
            const vec x = a.x == nullptr ? splat(kOne) : load_partial(a.x[row] + k, lanes);
            store_partial(a.out[row] + k, draw_mask(a.mask, row, k) ? x * scale : vec{}, lanes);
        }
    }
}

static void scale_rows(const ScaleRows& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        for (int64_t k = a.begin; k < a.end; k += V) {
            const int64_t lanes = lanes_of(a.end, k / V);
            const vec x = load_partial(a.x[row] + k, lanes);
            store_partial(a.out[row] + k, load_partial(a.factor[row] + k, lanes) * x, lanes);
        }
    }
}

// Of `old` what is kept, and of `fresh` the rest.
GRULEARN_INLINE vec zone(const ZoneoutRows& a, int64_t row, int64_t k, vec old, vec fresh) {
    if (a.mask.keys != nullptr) return draw_mask(a.mask, row, k) ? old : fresh;
    return fma(splat(a.kept), old - fresh, fresh);
}

static void zoneout(const ZoneoutRows& a) {
    for (int64_t row = 0; row < a.mask.rows; ++row) {
        for (int64_t k = a.mask.begin; k < a.mask.end; k += V) {
            const int64_t lanes = lanes_of(a.mask.end, k / V);
            const vec h = a.h == nullptr ? vec{} : load_partial(a.h[row] + k, lanes);
            store_partial(a.out[row] + k, zone(a, row, k, h, load_partial(a.out[row] + k, lanes)), lanes);
        }
    }
}

static void zoneout_gradient(const ZoneoutGradient& a) {
    const int64_t end = a.way.end;
    for (int64_t row = 0; row < a.way.rows; ++row) {
        for (int64_t k = a.way.begin; k < end; k += V) {
            const int64_t lanes = lanes_of(end, k / V);
            const int64_t at = k / V * a.way.panel + row * V;
            vec dh{};
            if (!a.first) {
                dh = load(a.way.carry + at);
            } else if (a.d_final != nullptr) {
                dh = load_partial(a.d_final[row] + k, lanes);
            }
            if (a.d_out != nullptr) dh += load_partial(a.d_out[row] + k, lanes);
            const vec bypass = zone(a.forward, row, k, dh, vec{});
            store(a.way.bypass + at, bypass);
            store(a.way.carry + at, dh - bypass);
        }
    }
}

static void park_gradient(const BypassRows& a) {
    for (int64_t k = a.begin; k < a.end; k += V) {
        for (int64_t row = 0; row < a.rows; ++row) {
            const int64_t at = k / V * a.panel + row * V;
            const vec carry = load(a.carry + at);
            store(a.bypass + at, a.add ? load(a.bypass + at) + carry : carry);
            store(a.carry + at, vec{});
        }
    }
}

static void leaving_gradient(const BypassRows& a) {
    for (int64_t k = a.begin; k < a.end; k += V) {
        const int64_t lanes = lanes_of(a.end, k / V);
        for (int64_t row = 0; row < a.rows; ++row) {
            const int64_t at = k / V * a.panel + row * V;
            const vec carry = load(a.carry + at);
            const vec through = a.factor == nullptr ? carry : carry * load_partial(a.factor[row] + k, lanes);
            store(a.carry + at, load(a.bypass + at) + through);
        }
    }
}
