// The head's outputs for whole sequences, in blocks that bound the memory.
#include <numeric>

#include "grulearn/errors.hpp"
#include "recording.hpp"

namespace grulearn {

namespace {

// Some sequences at a time, with the memory they need, kept from one block to the next.
template <class Real>
class Predictor {
public:
    Predictor(const Network<Real>& network, const SequencesView<Real>& sequences, int n_jobs)
        : network_(network), config_(network.config()), sequences_(sequences), n_jobs_(n_jobs) {}

    void run(Real* out) {
        // Kept states are those of a block: so many row-steps bound the memory.
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
                steps(out);
                out += row_steps * config_.output_size;
            } else {
                finals(out);
                out += plan_.rows * config_.output_size;
            }
        }
    }

private:
    // One output for each sequence of the block; of the top layer only two states of each are kept.
    void finals(Real* out) {
        const std::int64_t size = config_.state_size();
        const RowSpace<Real> top{ring_.resize(2 * plan_.rows * size), size, RowOrder::ring, nullptr};
        forward_layers<Real>(network_, plan_, caller_rows(plan_, sequences_), nullptr, top, states_, nullptr, n_jobs_);
        items_.resize(static_cast<std::size_t>(plan_.rows));
        Real* vectors = vectors_.resize(plan_.rows * size);
        for (std::int64_t direction = 0; direction < config_.directions(); ++direction) {
            final_states<Real>({&network_, config_.num_layers - 1, direction}, plan_, top, nullptr,
                               vectors + direction * config_.hidden_size, size, plan_.sequence.data(), 0, plan_.rows);
        }
        for (std::size_t i = 0; i < items_.size(); ++i) items_[i] = vectors + static_cast<std::int64_t>(i) * size;
        head(out);
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
        forward_layers<Real>(network_, plan_, caller_rows(plan_, sequences_), nullptr, {}, states_, nullptr, n_jobs_);
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
    BatchPlan plan_;
    std::vector<std::int64_t> batch_;
    std::vector<Buffer<Real>> states_;
    Buffer<Real> ring_, vectors_;
    std::vector<const Real*> items_;  // what the head reads, in the order of its outputs
};

}  // namespace

template <class Real>
void Network<Real>::predict(const SequencesView<Real>& sequences, Real* out, int n_jobs) const {
    check(sequences, config_.input_size);
    if (config_.output_size == 0) throw InvalidArgument("predict needs a head: the network's output_size is 0");
    const FlushDenormals flush;
    Predictor<Real>(*this, sequences, n_jobs).run(out);
}

template void Network<float>::predict(const SequencesView<float>&, float*, int) const;
template void Network<double>::predict(const SequencesView<double>&, double*, int) const;

}  // namespace grulearn
