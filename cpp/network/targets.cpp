#include "targets.hpp"

#include <algorithm>
#include <string>

#include "grulearn/errors.hpp"

namespace grulearn {

namespace {

[[noreturn]] void refuse(const std::string& what) { throw InvalidArgument(what); }

std::string place(std::int64_t sequence, std::int64_t position, bool per_step) {
    return "sequence " + std::to_string(sequence) + (per_step ? ", step " + std::to_string(position) : "");
}

// Copies weights as parts of the largest, which is returned; equal ones become no weights.
template <class Real, class Name>
double take_weights(const Real* from, std::int64_t count, const char* what, const Name& name, Buffer<Real>& to) {
    Real largest = 0;
    bool equal = true;
    for (std::int64_t i = 0; i < count; ++i) {
        if (!(from[i] >= 0) || std::isinf(from[i])) {
            refuse(std::string(what) + ": that of " + name(i) + " is " + std::to_string(from[i]) +
                   "; expected a finite number of at least 0");
        }
        largest = std::max(largest, from[i]);
        equal = equal && from[i] == from[0];
    }
    if (count == 0 || (equal && largest > 0)) return count == 0 ? 1.0 : static_cast<double>(largest);
    to.resize(count);
    if (largest == 0) largest = 1;
    for (std::int64_t i = 0; i < count; ++i) to.data()[i] = from[i] / largest;
    return static_cast<double>(largest);
}

}  // namespace

template <class Real>
Targets<Real>::Targets(const NetworkConfig& config, const SequencePositions& sequences, const TargetsView<Real>& view,
                       const LossConfig& loss)
    : loss_(loss),
      quantiles_(loss.quantiles.begin(), loss.quantiles.end()),
      anchor_(loss.anchor()),
      per_step_(config.per_step),
      columns_(1),
      values_(view.values) {
    loss.check();
    check_sizes(sequences, view, config.output_size);
    columns_ = view.values == nullptr ? 1 : view.n_columns;
    if (view.classes != nullptr) classes_.assign(view.classes, view.classes + view.n_rows);
    starts_.assign(view.starts.begin(), view.starts.end());
    if (view.weights != nullptr) {
        const auto name = [](std::int64_t i) { return "sequence " + std::to_string(i); };
        scale_ = take_weights(view.weights, sequences.size(), "weights", name, weights_);
    }
    if (view.step_weights != nullptr) {
        const auto name = [](std::int64_t i) { return "row " + std::to_string(i) + " of the targets"; };
        scale_ *= take_weights(view.step_weights, view.n_rows, "step weights", name, step_weights_);
    }
    weighted_ = weights_.size() > 0 || step_weights_.size() > 0;
    check_targets(sequences, config.output_size);
}

template <class Real>
void Targets<Real>::check_sizes(const SequencePositions& sequences, const TargetsView<Real>& view,
                                std::int64_t outputs) const {
    const bool classes = loss_.loss == Loss::cross_entropy;
    if (classes != (view.classes != nullptr)) {
        refuse(classes ? "the loss is cross_entropy: targets must be class numbers, int64 of one dimension"
                       : "targets are class numbers, which only the loss cross_entropy takes");
    }
    if (classes && outputs < 2) refuse("cross_entropy needs an output for each of at least 2 classes, got 1");
    const std::int64_t each = loss_.outputs_of_a_target();
    if (outputs % each != 0) {
        refuse("the loss needs " + std::to_string(each) + " outputs for each target, and the network has " +
               std::to_string(outputs));
    }
    if (!classes && view.n_columns != outputs / each) {
        refuse("targets must have " + std::to_string(outputs / each) + " columns, got " +
               std::to_string(view.n_columns) + "; the network has " + std::to_string(outputs) + " outputs");
    }
    if (!per_step_) {
        if (view.n_rows != sequences.size()) {
            refuse("targets must have one row for each of the " + std::to_string(sequences.size()) +
                   " sequences, got " + std::to_string(view.n_rows) + " rows");
        }
        if (view.step_weights != nullptr || !view.starts.empty()) {
            refuse("weights of steps and starts of targets belong to targets for each step; these are for sequences");
        }
        return;
    }
    if (view.starts.size() != sequences.lengths.size()) {
        refuse("targets must have one start for each of the " + std::to_string(sequences.size()) + " sequences, got " +
               std::to_string(view.starts.size()));
    }
    for (std::size_t i = 0; i < view.starts.size(); ++i) {
        if (view.starts[i] < 0 || view.starts[i] > view.n_rows || sequences.lengths[i] > view.n_rows - view.starts[i]) {
            refuse("the targets of sequence " + std::to_string(i) + " (start " + std::to_string(view.starts[i]) +
                   ", length " + std::to_string(sequences.lengths[i]) + ") do not lie within the " +
                   std::to_string(view.n_rows) + " rows of targets");
        }
    }
}

template <class Real>
void Targets<Real>::check_targets(const SequencePositions& sequences, std::int64_t outputs) {
    std::vector<char> counting(static_cast<std::size_t>(sequences.size()), 0);
    bool all = true;
    for (std::int64_t i = 0; i < sequences.size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const std::int64_t steps = per_step_ ? sequences.lengths[at] : 1;
        bool any = false;
        for (std::int64_t position = 0; position < steps; ++position) {
            if (!check_step(i, position, outputs, any)) weighted_ = true;
        }
        counting[at] = any ? 1 : 0;
        all = all && any;
    }
    if (!all) counting_ = std::move(counting);
}

template <class Real>
bool Targets<Real>::check_step(std::int64_t sequence, std::int64_t position, std::int64_t outputs, bool& any) const {
    const std::int64_t row = row_of(sequence, position);
    if (!(weight_of(sequence, row) > 0)) return false;
    const auto bad = [&](const std::string& is, const std::string& expected) {
        refuse("targets: that of " + place(sequence, position, per_step_) + " is " + is + "; expected " + expected);
    };
    if (has_classes()) {
        const std::int64_t value = classes_[static_cast<std::size_t>(row)];
        if (per_step_ && value == -1) return false;
        if (value < 0 || value >= outputs) {
            bad(std::to_string(value), "a class number from 0 to " + std::to_string(outputs - 1) +
                                           (per_step_ ? ", or -1 where there is no label" : ""));
        }
        return any = true;
    }
    bool all = true;
    for (std::int64_t k = 0; k < columns_; ++k) {
        const Real value = values_[row * columns_ + k];
        if (per_step_ && std::isnan(value)) {
            all = false;
            continue;
        }
        any = true;
        const auto shown = [&] {
            return std::to_string(value) + (columns_ > 1 ? " in column " + std::to_string(k) : "");
        };
        if (!std::isfinite(value)) bad(shown(), "a finite number");
        if (loss_.loss == Loss::poisson && value < 0) bad(shown(), "a count or rate of at least 0");
        if (loss_.loss == Loss::binary_cross_entropy && (value < 0 || value > 1)) bad(shown(), "0, 1 or between");
    }
    return all;
}

template <class Real>
std::int64_t Targets<Real>::end_of_counting(std::int64_t sequence, std::int64_t begin, std::int64_t end) const {
    const auto known = [](Real value) { return !std::isnan(value); };
    for (; end > begin; --end) {
        const std::int64_t row = row_of(sequence, end - 1);
        if (!(weight_of(sequence, row) > 0)) continue;
        if (has_classes() ? classes_[static_cast<std::size_t>(row)] >= 0
                          : std::any_of(values_ + row * columns_, values_ + (row + 1) * columns_, known)) {
            break;
        }
    }
    return end;
}

template class Targets<float>;
template class Targets<double>;

}  // namespace grulearn
