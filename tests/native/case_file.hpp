// The cases that make_cases.py writes; it describes the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grulearn/training.hpp"
#include "grulearn/views.hpp"

namespace native_tests {

// As in the file: everything in double, the inputs exact in float too.
struct Case {
    std::string name;
    grulearn::NetworkConfig config;
    grulearn::LossConfig loss;
    std::int64_t batch_size = 0;  // 0: no training
    std::int64_t epochs = 0;
    bool has_h0 = false, quick = false, huge = false;
    std::int64_t steps = 0;  // sum of lengths
    std::vector<std::int64_t> starts, lengths;
    std::vector<std::int64_t> part_sizes;  // of the parameter arrays, in canonical order
    double learning_rate = 0.0, weight_decay = 0.0, clip_norm = 0.0;
    std::vector<double> parameters, rows, h0, d_outputs, d_h_n, targets, weights;
    std::vector<double> outputs, h_n, d_parameters, d_rows, d_h0, predicted, losses, trained;

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(lengths.size()); }
    [[nodiscard]] std::int64_t state_count() const { return config.cells() * size() * config.hidden_size; }
};

// Throws std::runtime_error if the file is not one of make_cases.py.
std::vector<Case> read_cases(const std::string& path);

// A case's inputs in the scalar type of a network.
template <class Real>
struct Inputs {
    explicit Inputs(const Case& c)
        : starts(c.starts),
          lengths(c.lengths),
          parameters(c.parameters.begin(), c.parameters.end()),
          rows(c.rows.begin(), c.rows.end()),
          h0_values(c.h0.begin(), c.h0.end()),
          d_outputs(c.d_outputs.begin(), c.d_outputs.end()),
          d_h_n(c.d_h_n.begin(), c.d_h_n.end()),
          targets(c.targets.begin(), c.targets.end()),
          weights(c.weights.begin(), c.weights.end()),
          classes(c.loss.loss == grulearn::Loss::cross_entropy ? c.targets.size() : 0),
          n_features(c.config.input_size),
          n_rows(c.steps),
          has_h0(c.has_h0),
          per_step(c.config.per_step) {
        for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<std::int64_t>(c.targets[i]);
    }

    [[nodiscard]] grulearn::SequencesView<Real> view() const {
        grulearn::SequencesView<Real> view;
        view.n_rows = n_rows;
        view.n_features = n_features;
        view.starts = starts;
        view.lengths = lengths;
        view.rows = rows.data();
        return view;
    }
    // n_columns: targets of a sequence or step.
    [[nodiscard]] grulearn::TargetsView<Real> targets_view(std::int64_t n_columns) const {
        grulearn::TargetsView<Real> view;
        view.n_rows = per_step ? n_rows : static_cast<std::int64_t>(lengths.size());
        view.n_columns = n_columns;
        if (classes.empty()) {
            view.values = targets.data();
        } else {
            view.classes = classes.data();
        }
        if (per_step) view.starts = starts;
        if (!weights.empty()) view.weights = weights.data();
        return view;
    }
    [[nodiscard]] const Real* h0() const { return has_h0 ? h0_values.data() : nullptr; }

    std::vector<std::int64_t> starts, lengths;
    std::vector<Real> parameters, rows, h0_values, d_outputs, d_h_n, targets, weights;
    std::vector<std::int64_t> classes;
    std::int64_t n_features, n_rows;
    bool has_h0, per_step;
};

}  // namespace native_tests
