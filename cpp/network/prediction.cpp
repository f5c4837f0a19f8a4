// The head's outputs for whole sequences, in blocks that bound the memory.
#include <algorithm>
#include <limits>

#include "grulearn/errors.hpp"
#include "input_stage.hpp"
#include "pooling.hpp"
#include "recording.hpp"
#include "segments.hpp"

namespace grulearn {

namespace {

// Some sequences at a time, with the memory they need, kept from one block to the next.
template <class Real>
class Predictor {
public:
    Predictor(const Network<Real>& network, const SequencesView<Real>& sequences, int n_jobs)
        : network_(network),
          config_(network.config()),
          sequences_(sequences),
          n_jobs_(n_jobs),
          inputs_(network),
          pooling_(network) {}

    void run(Real* out) {
        // States are kept of a block at most: so many row-steps, or one sequence that is longer.
        constexpr std::int64_t kBlockRowSteps = std::int64_t{1} << 16;
        for (std::int64_t begin = 0; begin < sequences_.size();) {
            batch_.clear();
            std::int64_t row_steps = 0;
            for (std::int64_t i = begin; i < sequences_.size() && row_steps < kBlockRowSteps; ++i) {
                row_steps += sequences_.lengths[static_cast<std::size_t>(i)];
                batch_.push_back(i);
            }
            plan_.build(sequences_, batch_);
            begin += plan_.rows;
            if (config_.per_step) {
                keeps_all_states() ? steps(out) : steps_in_segments(out);
                out += row_steps * config_.output_size;
            } else {
                vectors(out);
                out += plan_.rows * config_.output_size;
            }
        }
    }

private:
    // Whether the states of all steps of the block are kept, and not those of a segment at a time. One layer alone can
    // do without, if what is made of its states needs neither both directions of a step nor all steps at once.
    [[nodiscard]] bool keeps_all_states() const {
        constexpr std::int64_t kMany = std::int64_t{1} << 17;
        const bool running = config_.per_step ? !config_.bidirectional : config_.pool != Pool::attention;
        return plan_.row_steps() <= kMany || config_.num_layers > 1 || !running;
    }

    // One output for each sequence of the block.
    void vectors(Real* out) {
        const std::int64_t size = config_.state_size();
        Real* pooled = vectors_.resize(plan_.rows * size);
        if (config_.pool == Pool::last) {
            // Made for a segment at a time, inputs need less memory than for all steps.
            config_.prepares_inputs() && !keeps_all_states() ? running_final_vectors(pooled) : final_vectors(pooled);
        } else if (keeps_all_states()) {
            pooled_vectors(pooled);
        } else {
            running_vectors(pooled);
        }
        items_.resize(static_cast<std::size_t>(plan_.rows));
        for (std::size_t i = 0; i < items_.size(); ++i) items_[i] = pooled + static_cast<std::int64_t>(i) * size;
        head(out);
    }

    // Of the top layer only two states of each sequence are kept.
    void final_vectors(Real* pooled) {
        const std::int64_t size = config_.state_size();
        const RowSpace<Real> top{ring_.resize(2 * plan_.rows * size), size, RowOrder::ring, nullptr};
        const LayerInputs<Real> inputs = inputs_.forward(plan_, sequences_, n_jobs_);
        forward_layers<Real>(network_, plan_, inputs, nullptr, top, states_, nullptr, nullptr, n_jobs_);
        for (std::int64_t direction = 0; direction < config_.directions(); ++direction) {
            final_states<Real>({&network_, config_.num_layers - 1, direction}, plan_, top, nullptr,
                               pooled + direction * config_.hidden_size, size, plan_.sequence.data(), 0, plan_.rows);
        }
    }

    void running_final_vectors(Real* pooled) {
        std::fill_n(pooled, plan_.rows * config_.state_size(), Real{0});
        for (std::int64_t direction = 0; direction < config_.directions(); ++direction) {
            SegmentedPass<Real> pass(network_, direction, plan_, sequences_, n_jobs_);
            pass.run([&](const BatchPlan& segment, const RowSpace<Real>& states, std::int64_t) {
                for (std::int64_t row = 0; row < segment.rows; ++row) {
                    const std::int64_t last = direction == 0 ? segment.length[static_cast<std::size_t>(row)] - 1 : 0;
                    std::copy_n(states.at(segment, row, last), config_.hidden_size,
                                vector_of(pooled, row) + direction * config_.hidden_size);
                }
            });
        }
    }

    void pooled_vectors(Real* pooled) {
        pooling_.begin(plan_, all_states(), nullptr);
        const int threads = worthwhile_threads(n_jobs_, plan_.row_steps() * config_.state_size());
        for_row_blocks(threads, plan_.rows, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t row = begin; row < end; ++row) pooling_.forward(row, vector_of(pooled, row));
        });
    }

    // Mean and max while the states run by: bits and order are those of Pooling::forward.
    void running_vectors(Real* pooled) {
        const bool mean = config_.pool == Pool::mean;
        const std::int64_t hidden = config_.hidden_size;
        const Real lowest = mean ? Real{0} : -std::numeric_limits<Real>::infinity();
        for (std::int64_t row = 0; row < plan_.rows; ++row) {
            const bool empty = plan_.length[static_cast<std::size_t>(row)] == 0;
            std::fill_n(vector_of(pooled, row), config_.state_size(), empty ? Real{0} : lowest);
        }
        for (std::int64_t direction = 0; direction < config_.directions(); ++direction) {
            SegmentedPass<Real> pass(network_, direction, plan_, sequences_, n_jobs_);
            pass.run([&](const BatchPlan& segment, const RowSpace<Real>& states, std::int64_t) {
                for (std::int64_t row = 0; row < segment.rows; ++row) {
                    PoolRows<Real> rows;
                    rows.count = segment.length[static_cast<std::size_t>(row)];
                    rows.size = hidden;
                    rows.x = collect(segment, states, row);
                    rows.reverse = direction > 0;
                    rows.out = vector_of(pooled, row) + direction * hidden;
                    mean ? network_.kernels().pool_sum(rows) : network_.kernels().pool_max(rows);
                }
            });
        }
        for (std::int64_t row = 0; row < plan_.rows && mean; ++row) {
            const std::int64_t length = plan_.length[static_cast<std::size_t>(row)];
            if (length > 0) mean_of_sum(vector_of(pooled, row), config_.state_size(), length);
        }
    }

    [[nodiscard]] Real* vector_of(Real* vectors, std::int64_t row) const {
        return vectors + plan_.sequence[static_cast<std::size_t>(row)] * config_.state_size();
    }

    // Pointers to a row's states.
    const Real* const* collect(const BatchPlan& plan, const RowSpace<Real>& states, std::int64_t row) {
        items_.resize(static_cast<std::size_t>(plan.length[static_cast<std::size_t>(row)]));
        for (std::size_t t = 0; t < items_.size(); ++t) items_[t] = states.at(plan, row, static_cast<std::int64_t>(t));
        return items_.data();
    }

    void steps_in_segments(Real* out) {
        SegmentedPass<Real> pass(network_, 0, plan_, sequences_, n_jobs_);
        pass.run([&](const BatchPlan& segment, const RowSpace<Real>& states, std::int64_t begin) {
            for (std::int64_t row = 0; row < segment.rows; ++row) {
                collect(segment, states, row);
                head(out + (plan_.output_start[static_cast<std::size_t>(row)] + begin) * config_.output_size);
            }
        });
    }

    // One output for each step of the block, sequence after sequence.
    void steps(Real* out) {
        const RowSpace<Real> top = all_states();
        items_.resize(static_cast<std::size_t>(plan_.row_steps()));
        for (std::int64_t row = 0; row < plan_.rows; ++row) {
            const auto i = static_cast<std::size_t>(row);
            for (std::int64_t position = 0; position < plan_.length[i]; ++position) {
                items_[static_cast<std::size_t>(plan_.output_start[i] + position)] = top.at(plan_, row, position);
            }
        }
        head(out);
    }

    RowSpace<Real> all_states() {
        const LayerInputs<Real> inputs = inputs_.forward(plan_, sequences_, n_jobs_);
        forward_layers<Real>(network_, plan_, inputs, nullptr, {}, states_, nullptr, nullptr, n_jobs_);
        return {states_.back().data(), config_.state_size(), RowOrder::time, nullptr};
    }

    // out [items][O]
    void head(Real* out) const {
        const auto items = static_cast<std::int64_t>(items_.size());
        const int threads = worthwhile_threads(n_jobs_, items * config_.state_size() * config_.output_size);
        for_row_blocks(threads, items, [&](std::int64_t begin, std::int64_t end) {
            HeadForward<Real> step;
            step.rows = end - begin;
            step.inputs = config_.state_size();
            step.outputs = config_.output_size;
            step.x = items_.data() + begin;
            step.w = network_.packed() + network_.layout().head_weight;
            step.b = network_.packed() + network_.layout().head_bias;
            step.out = out + begin * config_.output_size;
            network_.kernels().head_forward(step);
        });
    }

    const Network<Real>& network_;
    const NetworkConfig& config_;
    const SequencesView<Real>& sequences_;
    int n_jobs_;
    InputStage<Real> inputs_;
    BatchPlan plan_;
    std::vector<std::int64_t> batch_;
    std::vector<Buffer<Real>> states_;
    Pooling<Real> pooling_;
    Buffer<Real> ring_, vectors_;
    std::vector<const Real*> items_;  // what the head reads, in the order of its outputs
};

}  // namespace

template <class Real>
void Network<Real>::predict(const SequencesView<Real>& sequences, Real* out, int n_jobs) const {
    check(sequences, config_);
    if (config_.output_size == 0) throw InvalidArgument("predict needs a head: the network's output_size is 0");
    const FlushDenormals flush;
    Predictor<Real>(*this, sequences, n_jobs).run(out);
}

template void Network<float>::predict(const SequencesView<float>&, float*, int) const;
template void Network<double>::predict(const SequencesView<double>&, double*, int) const;

}  // namespace grulearn
