// The order of parameters: canonical (PyTorch's arrays one after another) and packed (as the kernels read them).
#include <algorithm>
#include <string>

#include "../kernels/dispatch.hpp"
#include "grulearn/errors.hpp"
#include "grulearn/network.hpp"

namespace grulearn {

namespace {

std::int64_t panels_of(std::int64_t hidden, std::int64_t width) { return (hidden + width - 1) / width; }

void check(const NetworkConfig& config) {
    const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
        if (value < least) {
            throw InvalidArgument(std::string(name) + " must be at least " + std::to_string(least) + ", got " +
                                  std::to_string(value));
        }
    };
    at_least("input_size", config.input_size, config.tables.empty() || config.decay ? 1 : 0);
    at_least("hidden_size", config.hidden_size, 1);
    at_least("num_layers", config.num_layers, 1);
    at_least("output_size", config.output_size, 0);
    if (config.per_step && config.pool != Pool::last) {
        throw InvalidArgument("a head on every step reads no pooled state: pool must be 'last', the default");
    }
    if (config.output_size == 0 && (config.per_step || config.pool != Pool::last)) {
        throw InvalidArgument("pool and target say what the head reads: they need an output_size of at least 1");
    }
    if (config.decay && config.bidirectional) {
        throw InvalidArgument("decay needs bidirectional=False: a gap is the time since an earlier step");
    }
    if (!(config.zoneout >= 0.0 && config.zoneout < 1.0)) {
        throw InvalidArgument("zoneout must be at least 0 and below 1, got " + std::to_string(config.zoneout));
    }
    if (config.layer_norm && !config.reset_after) {
        throw InvalidArgument("layer_norm needs reset_after=True: the products with U are normalised before r acts");
    }
    // In double, so that the check itself cannot overflow.
    const auto units = static_cast<double>(config.hidden_size);
    double inputs = 2.0 * static_cast<double>(config.input_size);
    double others = 2.0 * units * static_cast<double>(config.output_size);
    for (const EmbeddingTable& table : config.tables) {
        at_least("codes of a table", table.codes, 1);
        at_least("size of a table", table.size, 1);
        inputs += static_cast<double>(table.size);
        others += static_cast<double>(table.codes) * static_cast<double>(table.size);
    }
    inputs = std::max(inputs, 2.0 * units);
    const double weights = static_cast<double>(config.num_layers) * 2.0 * 3.0 * units * (inputs + units);
    if (weights + others > 1e12) {
        throw InvalidArgument("a network of hidden_size " + std::to_string(config.hidden_size) + ", input_size " +
                              std::to_string(config.input_size) + " and " + std::to_string(config.num_layers) +
                              " layers has more weights than any memory holds; expected fewer than 1e12");
    }
}

// Calls copy(canonical index, packed index) for every parameter, in canonical order.
template <class Copy>
void for_each_parameter(const NetworkConfig& config, const ParameterLayout& layout, std::int64_t width,
                        const Copy& copy) {
    const std::int64_t hidden = config.hidden_size;
    std::int64_t at = 0;
    const auto matrix = [&](std::int64_t base, std::int64_t inputs) {
        for (std::int64_t gate = 0; gate < 3; ++gate) {
            for (std::int64_t unit = 0; unit < hidden; ++unit) {
                std::int64_t to = base + (unit / width * inputs * 3 + gate) * width + unit % width;
                for (std::int64_t k = 0; k < inputs; ++k, to += 3 * width) copy(at++, to);
            }
        }
    };
    const auto vector = [&](std::int64_t base, std::int64_t first) {
        for (std::int64_t gate = 0; gate < 3; ++gate) {
            for (std::int64_t unit = 0; unit < hidden; ++unit) {
                copy(at++, base + (unit / width * 6 + first + gate) * width + unit % width);
            }
        }
    };
    for (std::int64_t cell = 0; cell < config.cells(); ++cell) {
        const CellLayout& place = layout.cells[static_cast<std::size_t>(cell)];
        matrix(place.w, config.inputs_of_layer(cell / config.directions()));
        matrix(place.u, hidden);
        if (config.bias) {
            vector(place.bias, 0);
            vector(place.bias, 3);
        }
        if (config.layer_norm) {
            vector(place.gain, 0);
            vector(place.gain, 3);
        }
    }
    for (std::size_t i = 0; i < config.tables.size(); ++i) {
        const std::int64_t size = config.tables[i].codes * config.tables[i].size;
        for (std::int64_t k = 0; k < size; ++k) copy(at++, layout.tables[i] + k);
    }
    if (config.decay) {
        const DecayLayout& decay = layout.decay;
        const std::int64_t features = config.input_size;
        const std::int64_t padded = panels_of(hidden, width) * width;
        for (std::int64_t f = 0; f < features; ++f) copy(at++, decay.input_weight + f);
        for (std::int64_t f = 0; f < features; ++f) copy(at++, decay.input_bias + f);
        for (std::int64_t unit = 0; unit < hidden; ++unit) {
            for (std::int64_t f = 0; f < features; ++f) copy(at++, decay.hidden_weight + f * padded + unit);
        }
        for (std::int64_t unit = 0; unit < hidden; ++unit) copy(at++, decay.hidden_bias + unit);
    }
    if (layout.pool_query >= 0) {
        for (std::int64_t i = 0; i < config.state_size(); ++i) copy(at++, layout.pool_query + i);
    }
    for (std::int64_t i = 0; i < config.output_size * config.state_size(); ++i) copy(at++, layout.head_weight + i);
    for (std::int64_t i = 0; i < config.output_size; ++i) copy(at++, layout.head_bias + i);
}

}  // namespace

ParameterLayout::ParameterLayout(const NetworkConfig& config, std::int64_t width) {
    check(config);
    const std::int64_t hidden = config.hidden_size;
    const std::int64_t panels = panels_of(hidden, width);
    const auto place = [&](std::int64_t size, bool decays) {
        const std::int64_t padded = (size + 15) / 16 * 16;  // whole cache lines, whole vectors of any set
        const std::int64_t offset = packed_size;
        segments.push_back({offset, padded, decays});
        packed_size += padded;
        return offset;
    };
    for (std::int64_t cell = 0; cell < config.cells(); ++cell) {
        const std::int64_t inputs = config.inputs_of_layer(cell / config.directions());
        CellLayout& layout = cells.emplace_back();
        layout.w = place(panels * inputs * 3 * width, true);
        layout.u = place(panels * hidden * 3 * width, true);
        if (config.bias) layout.bias = place(panels * 6 * width, false);
        if (config.layer_norm) layout.gain = place(panels * 6 * width, false);
        layout.size = packed_size - layout.w;
        canonical_size += 3 * hidden * (inputs + hidden + (config.bias ? 2 : 0) + (config.layer_norm ? 2 : 0));
    }
    if (config.decay) {
        const std::int64_t features = config.input_size;
        decay.input_weight = place(features, false);
        decay.input_bias = place(features, false);
        decay.hidden_weight = place(features * panels * width, false);
        decay.hidden_bias = place(panels * width, false);
        canonical_size += 2 * features + hidden * (features + 1);
    }
    if (config.output_size > 0 && config.pool == Pool::attention) {
        pool_query = place(config.state_size(), true);
        canonical_size += config.state_size();
    }
    if (config.output_size > 0) {
        head_weight = place(config.output_size * config.state_size(), true);
        head_bias = place(config.output_size, false);
        canonical_size += config.output_size * (config.state_size() + 1);
    }
    dense_size = packed_size;
    for (const EmbeddingTable& table : config.tables) {
        tables.push_back(place(table.codes * table.size, false));
        canonical_size += table.codes * table.size;
    }
}

template <class Real>
Network<Real>::Network(const NetworkConfig& config, std::string_view isa)
    : config_(config), kernels_(&grulearn::kernels<Real>(isa)), layout_(config, kernels_->width) {
    packed_.resize_zeroed(layout_.packed_size);
}

template <class Real>
void Network<Real>::to_canonical(const Real* packed, Real* canonical) const {
    for_each_parameter(config_, layout_, kernels_->width,
                       [&](std::int64_t at, std::int64_t place) { canonical[at] = packed[place]; });
}

template <class Real>
void Network<Real>::to_packed(const Real* canonical, Real* packed) const {
    for_each_parameter(config_, layout_, kernels_->width,
                       [&](std::int64_t at, std::int64_t place) { packed[place] = canonical[at]; });
}

template <class Real>
void Network<Real>::set_parameters(const Real* values) {
    to_packed(values, packed_.data());
}
template <class Real>
void Network<Real>::get_parameters(Real* values) const {
    to_canonical(packed_.data(), values);
}

template Network<float>::Network(const NetworkConfig&, std::string_view);
template void Network<float>::to_canonical(const float*, float*) const;
template void Network<float>::to_packed(const float*, float*) const;
template void Network<float>::set_parameters(const float*);
template void Network<float>::get_parameters(float*) const;
template Network<double>::Network(const NetworkConfig&, std::string_view);
template void Network<double>::to_canonical(const double*, double*) const;
template void Network<double>::to_packed(const double*, double*) const;
template void Network<double>::set_parameters(const double*);
template void Network<double>::get_parameters(double*) const;

}  // namespace grulearn
