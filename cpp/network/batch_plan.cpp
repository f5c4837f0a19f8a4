#include "batch_plan.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "grulearn/errors.hpp"
#include "grulearn/network.hpp"

namespace grulearn {

namespace {

// Every code is the number of a vector.
void check_codes(const SequencePositions& sequences, const std::vector<EmbeddingTable>& tables) {
    const auto columns = static_cast<std::int64_t>(tables.size());
    if (sequences.n_categorical != columns) {
        throw InvalidArgument("codes must have a column for each of the network's " + std::to_string(columns) +
                              " categorical features, got " + std::to_string(sequences.n_categorical));
    }
    for (std::int64_t i = 0; columns > 0 && i < sequences.size(); ++i) {
        const std::int32_t* code = sequences.codes + sequences.starts[static_cast<std::size_t>(i)] * columns;
        for (std::int64_t k = 0; k < sequences.lengths[static_cast<std::size_t>(i)] * columns; ++k) {
            const std::int64_t known = tables[static_cast<std::size_t>(k % columns)].codes;
            if (code[k] >= 0 && code[k] < known) continue;
            throw InvalidArgument("codes: that of sequence " + std::to_string(i) + ", step " +
                                  std::to_string(k / columns) + ", categorical feature " + std::to_string(k % columns) +
                                  " is " + std::to_string(code[k]) + "; expected 0 to " + std::to_string(known - 1));
        }
    }
}

}  // namespace

void check(const SequencePositions& sequences, const NetworkConfig& config) {
    if (sequences.n_features != config.row_width()) {
        throw InvalidArgument("the rows have " + std::to_string(sequences.n_features) + " " +
                              (config.decay ? "columns, but the network needs values, mask and gaps of its "
                                            : "features, but the network's input_size is ") +
                              std::to_string(config.input_size) + (config.decay ? " features" : ""));
    }
    if (sequences.starts.size() != sequences.lengths.size()) {
        throw InvalidArgument("starts and lengths must have one entry for each sequence, got " +
                              std::to_string(sequences.starts.size()) + " and " +
                              std::to_string(sequences.lengths.size()));
    }
    for (std::size_t i = 0; i < sequences.lengths.size(); ++i) {
        const std::int64_t start = sequences.starts[i];
        const std::int64_t length = sequences.lengths[i];
        // Written so that no sum can overflow.
        if (start < 0 || length < 0 || start > sequences.n_rows || length > sequences.n_rows - start) {
            throw InvalidArgument("sequence " + std::to_string(i) + " (start " + std::to_string(start) + ", length " +
                                  std::to_string(length) + ") does not lie within the " +
                                  std::to_string(sequences.n_rows) + " rows");
        }
    }
    check_codes(sequences, config.tables);
}

namespace {

// Stable, by falling length. Most batches have one length, so look first.
void sort_by_length(std::vector<std::int64_t>& order, const SequencePositions& sequences,
                    std::span<const std::int64_t> batch) {
    const auto length = [&](std::int64_t i) {
        return sequences.lengths[static_cast<std::size_t>(batch[static_cast<std::size_t>(i)])];
    };
    const auto longer = [&](std::int64_t a, std::int64_t b) { return length(a) > length(b); };
    if (!std::is_sorted(order.begin(), order.end(), longer)) std::stable_sort(order.begin(), order.end(), longer);
}

}  // namespace

void BatchPlan::build(const SequencePositions& sequences, std::span<const std::int64_t> batch) {
    rows = batch_size = static_cast<std::int64_t>(batch.size());
    first_step = 0;
    for (const std::int64_t index : batch) {
        if (index < 0 || index >= sequences.size()) {
            throw InvalidArgument("sequence " + std::to_string(index) + " asked for, but there are " +
                                  std::to_string(sequences.size()));
        }
    }
    sequence.resize(batch.size());
    std::iota(sequence.begin(), sequence.end(), 0);
    sort_by_length(sequence, sequences, batch);

    std::vector<std::int64_t>& outputs = offset;  // borrowed: outputs[b] = rows of the batch before its sequence b
    outputs.assign(batch.size(), 0);
    for (std::size_t b = 1; b < batch.size(); ++b) {
        outputs[b] = outputs[b - 1] + sequences.lengths[static_cast<std::size_t>(batch[b - 1])];
    }
    start.resize(batch.size());
    length.resize(batch.size());
    output_start.resize(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto b = static_cast<std::size_t>(sequence[i]);
        const auto index = static_cast<std::size_t>(batch[b]);
        start[i] = sequences.starts[index];
        length[i] = sequences.lengths[index];
        output_start[i] = outputs[b];
    }
    count_active();
}

void BatchPlan::slice(const BatchPlan& whole, std::int64_t begin, std::int64_t end) {
    const auto take = [&](std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
        to.assign(from.begin() + begin, from.begin() + end);
    };
    rows = end - begin;
    batch_size = whole.batch_size;
    first_step = whole.first_step;
    take(sequence, whole.sequence);
    take(start, whole.start);
    take(length, whole.length);
    take(output_start, whole.output_start);
    count_active();
}

void BatchPlan::steps_of(const BatchPlan& whole, std::int64_t begin, std::int64_t end) {
    slice(whole, 0, whole.active[static_cast<std::size_t>(begin)]);
    first_step += begin;
    for (std::size_t i = 0; i < length.size(); ++i) {
        start[i] += begin;
        length[i] = std::min(length[i], end) - begin;
    }
    count_active();
}

void BatchPlan::ends_of(const BatchPlan& whole, std::int64_t n) {
    slice(whole, 0, whole.rows);
    for (std::size_t i = 0; i < length.size(); ++i) {
        start[i] += std::max<std::int64_t>(0, length[i] - n);
        length[i] = std::min(length[i], n);
    }
    count_active();
}

void BatchPlan::all_but_ends_of(const BatchPlan& whole, std::int64_t n) {
    slice(whole, 0, whole.rows);
    for (std::int64_t& steps_of_row : length) steps_of_row = std::max<std::int64_t>(0, steps_of_row - n);
    count_active();
}

void BatchPlan::count_active() {
    steps = rows == 0 ? 0 : length.front();
    active.assign(static_cast<std::size_t>(steps) + 1, 0);
    offset.assign(static_cast<std::size_t>(steps) + 1, 0);
    std::int64_t running = rows;
    for (std::int64_t t = 0; t < steps; ++t) {
        while (running > 0 && length[static_cast<std::size_t>(running - 1)] <= t) --running;
        active[static_cast<std::size_t>(t)] = running;
        offset[static_cast<std::size_t>(t) + 1] = offset[static_cast<std::size_t>(t)] + running;
    }
}

}  // namespace grulearn
