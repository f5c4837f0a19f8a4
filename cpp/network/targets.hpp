// Targets and their weights, checked, as the head reads them.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "grulearn/buffer.hpp"
#include "grulearn/training.hpp"

namespace grulearn {

template <class Real>
class Targets {
public:
    // Values stay a view of the caller's memory. Throws InvalidArgument, saying where, if something does not fit.
    Targets(const NetworkConfig& config, const SequencePositions& sequences, const TargetsView<Real>& view,
            const LossConfig& loss);

    [[nodiscard]] const LossConfig& loss() const { return loss_; }
    [[nodiscard]] const Real* quantiles() const { return quantiles_.data(); }
    [[nodiscard]] std::int64_t anchor() const { return anchor_; }
    [[nodiscard]] std::int64_t columns() const { return columns_; }  // K
    [[nodiscard]] bool has_classes() const { return !classes_.empty(); }
    // Whether some target counts otherwise than as 1 * scale().
    [[nodiscard]] bool weighted() const { return weighted_; }
    // The largest weight. The others are kept as parts of it.
    [[nodiscard]] double scale() const { return scale_; }
    // Whether anything of a sequence counts.
    [[nodiscard]] bool counts(std::int64_t sequence) const {
        return counting_.empty() || counting_[static_cast<std::size_t>(sequence)] != 0;
    }
    [[nodiscard]] bool all_count() const { return counting_.empty(); }
    // The end of the steps of a sequence, of those in [begin, end), that count; begin if none does. Only per_step.
    [[nodiscard]] std::int64_t end_of_counting(std::int64_t sequence, std::int64_t begin, std::int64_t end) const;

    // The row of the targets that belongs to a step (without per_step: to the sequence).
    [[nodiscard]] std::int64_t row_of(std::int64_t sequence, std::int64_t position) const {
        return per_step_ ? starts_[static_cast<std::size_t>(sequence)] + position : sequence;
    }

    // The targets of some rows, each of a sequence, into wanted[count][columns], or into of_class[count] if
    // has_classes(); if weighted(), their weights into weights[count][columns]. What does not count becomes 0 with
    // weight 0.
    void take(std::int64_t count, const std::int64_t* sequences, const std::int64_t* rows, Real* wanted,
              std::int64_t* of_class, Real* weights) const {
        if (has_classes()) return take_classes(count, sequences, rows, of_class, weights);
        for (std::int64_t i = 0; i < count; ++i, wanted += columns_) {
            const Real* values = values_ + rows[i] * columns_;
            for (std::int64_t k = 0; k < columns_; ++k) wanted[k] = values[k];
        }
        if (!weighted_) return;
        wanted -= count * columns_;
        for (std::int64_t i = 0; i < count; ++i) {
            const Real weight = weight_of(sequences[i], rows[i]);
            for (std::int64_t k = 0; k < columns_; ++k, ++wanted) {
                const bool known = !std::isnan(*wanted);
                *weights++ = known ? weight : Real{0};
                if (!known) *wanted = 0;
            }
        }
    }

private:
    void take_classes(std::int64_t count, const std::int64_t* sequences, const std::int64_t* rows,
                      std::int64_t* of_class, Real* weights) const {
        for (std::int64_t i = 0; i < count; ++i) {
            of_class[i] = classes_[static_cast<std::size_t>(rows[i])];
            if (weighted_) weights[i] = of_class[i] < 0 ? Real{0} : weight_of(sequences[i], rows[i]);
        }
    }
    [[nodiscard]] Real weight_of(std::int64_t sequence, std::int64_t row) const {
        return (weights_.size() == 0 ? Real{1} : weights_.data()[sequence]) *
               (step_weights_.size() == 0 ? Real{1} : step_weights_.data()[row]);
    }
    void check_sizes(const SequencePositions& sequences, const TargetsView<Real>& view, std::int64_t outputs) const;
    void check_targets(const SequencePositions& sequences, std::int64_t outputs);
    // Whether a step's targets count; false as well where some of its columns do not.
    [[nodiscard]] bool check_step(std::int64_t sequence, std::int64_t position, std::int64_t outputs, bool& any) const;

    LossConfig loss_;
    std::vector<Real> quantiles_;
    std::int64_t anchor_;
    bool per_step_, weighted_ = false;
    std::int64_t columns_;
    double scale_ = 1.0;
    const Real* values_;
    std::vector<std::int64_t> classes_, starts_;  // copies: a change behind our back could lead outside of arrays
    Buffer<Real> weights_, step_weights_;         // empty: all 1
    std::vector<char> counting_;                  // by sequence; empty: all count
};

}  // namespace grulearn
