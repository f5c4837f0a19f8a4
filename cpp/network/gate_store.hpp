// Where the gates of a cell's row-steps are kept between the forward and the backward pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "batch_plan.hpp"

namespace grulearn {

// The steps of a batch cut into chunks: gate gradients are made for a chunk, then summed into dW and dU while they are
// still in cache. One or more chunks are a segment, whose gates are made again in the backward pass if they were not
// kept. Cut by the shapes of data and network only, and so is the order of every sum.
class Chunks {
public:
    struct Chunk {
        std::int64_t begin, end;  // steps
        std::int64_t segment;
    };

    // checkpoint_steps: least number of steps of a segment; 0: one segment.
    void cut(const BatchPlan& plan, std::int64_t hidden, std::int64_t checkpoint_steps);

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(chunks_.size()); }
    [[nodiscard]] const Chunk& operator[](std::int64_t i) const { return chunks_[static_cast<std::size_t>(i)]; }
    [[nodiscard]] const Chunk& of_step(std::int64_t step) const {
        return (*this)[of_step_[static_cast<std::size_t>(step)]];
    }
    [[nodiscard]] std::int64_t segments() const { return chunks_.empty() ? 0 : chunks_.back().segment + 1; }
    [[nodiscard]] std::int64_t segment_begin(std::int64_t segment) const {  // step; that of segments() is the last step
        return segment_begins_[static_cast<std::size_t>(segment)];
    }
    [[nodiscard]] std::int64_t largest_segment() const { return largest_segment_; }  // row-steps

private:
    std::vector<Chunk> chunks_;
    std::vector<std::int64_t> of_step_;  // [steps] a step's chunk
    std::vector<std::int64_t> segment_begins_;  // [segments + 1]
    std::int64_t largest_segment_ = 0;
};

// Gates, chunk after chunk, each as [panel][row-step][slots][V]: the sums for dW read a panel as one run of memory.
// With more than one segment only two of them have memory at a time: that of the current one and of the one made
// before.
template <class Real>
struct GateStore {
    Real* base = nullptr;
    const BatchPlan* plan = nullptr;
    const Chunks* chunks = nullptr;
    std::int64_t panels = 0;
    std::int64_t unit = 0;  // scalars of a row-step in one panel: slots * V

    struct Place {
        Real* gates;
        std::int64_t panel;  // scalars between panels
    };
    // Scalars that `base` must hold.
    [[nodiscard]] std::int64_t size() const {
        return std::min<std::int64_t>(chunks->segments(), 2) * chunks->largest_segment() * panels * unit;
    }
    [[nodiscard]] bool keeps_all() const { return chunks->segments() <= 1; }
    [[nodiscard]] Place at(std::int64_t step, std::int64_t row) const {
        const auto offset = [&](std::int64_t t) { return plan->offset[static_cast<std::size_t>(t)]; };
        const Chunks::Chunk& chunk = chunks->of_step(step);
        const std::int64_t chunk_begin = offset(chunk.begin);
        std::int64_t before = chunk_begin;  // row-steps in memory before this chunk
        if (!keeps_all()) {
            before -= offset(chunks->segment_begin(chunk.segment));
            if (chunk.segment % 2 == 1) before += chunks->largest_segment();
        }
        return {base + (before * panels + offset(step) - chunk_begin + row) * unit,
                (offset(chunk.end) - chunk_begin) * unit};
    }
};

}  // namespace grulearn
