#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../cpp/kernels/dispatch.hpp"
#include "../cpp/network/masks.hpp"
#include "arrays.hpp"
#include "bind.hpp"

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

MaskKind kind_of(const std::string& name) {
    static constexpr std::pair<const char*, MaskKind> kKinds[] = {{"layer", MaskKind::layer},
                                                                  {"head", MaskKind::head},
                                                                  {"recurrent", MaskKind::recurrent},
                                                                  {"zoneout", MaskKind::zoneout}};
    for (const auto& [known, kind] : kKinds) {
        if (name == known) return kind;
    }
    throw InvalidArgument("kind must be 'layer', 'head', 'recurrent' or 'zoneout', got '" + name + "'");
}

// One row for each sequence and step, or without steps for each sequence.
auto draw_masks(const std::string& kind, std::int64_t index, const In<std::int64_t, 1>& sequences,
                const std::optional<In<std::int64_t, 1>>& steps, std::int64_t n_units, double probability,
                std::uint64_t seed, std::int64_t epoch, const std::string& isa) {
    if (!(probability >= 0.0 && probability <= 1.0)) {
        throw InvalidArgument("probability must be from 0 to 1, got " + std::to_string(probability));
    }
    if (n_units < 0) throw InvalidArgument("n_units must be at least 0, got " + std::to_string(n_units));
    const std::span<const std::int64_t> each = steps ? view(*steps) : std::span<const std::int64_t>();
    const std::int64_t count = steps ? static_cast<std::int64_t>(each.size()) : 1;
    auto out = fresh<float, 3>({extent(sequences, 0), count, n_units});
    std::vector<std::uint64_t> keys;
    std::vector<float*> rows;
    for (const std::int64_t sequence : view(sequences)) {
        const std::uint64_t key = sequence_key(seed, static_cast<std::uint64_t>(epoch), kind_of(kind), index, sequence);
        for (std::int64_t i = 0; i < count; ++i) {
            rows.push_back(out.data() + static_cast<std::int64_t>(rows.size()) * n_units);
            keys.push_back(steps ? step_key(key, each[static_cast<std::size_t>(i)]) : key);
        }
    }
    DropRows<float> drop;
    drop.mask = {static_cast<std::int64_t>(rows.size()), 0, n_units, keys.data(), mask_bound(probability)};
    drop.out = rows.data();
    kernels<float>(isa).drop_rows(drop);
    return out;
}

}  // namespace

void bind_masks(nb::module_& m) {
    m.def("draw_masks", &draw_masks, "kind"_a, "index"_a, "sequences"_a.noconvert(),
          nb::arg("steps").noconvert().none(), "n_units"_a, nb::kw_only(), "probability"_a, "seed"_a, "epoch"_a,
          "isa"_a = "",
          "The random masks of a Trainer, as float32 (n_sequences, n_steps, n_units): 1 with the given probability.\n\n"
          "kind: \"layer\" (dropout of the states of layer `index`, read by the next one; D * H units), \"head\"\n"
          "(dropout before the head), \"recurrent\" (dropout of what U multiplies in cell `index` = layer * D +\n"
          "direction) or \"zoneout\" (of that cell). sequences: numbers among the trainer's data; steps: counted from\n"
          "the beginning of a sequence, or None where one mask is for all: \"recurrent\", and \"head\" without\n"
          "target=\"sequence\".");
}

}  // namespace grulearn::bindings
