#include <algorithm>
#include <cmath>
#include <string>

#include "checks.hpp"
#include "grulearn/training.hpp"

namespace native_tests {

namespace {

template <class Real>
struct Trained {
    std::vector<double> losses;
    std::vector<Real> parameters;
};

template <class Real>
Trained<Real> train(const Case& c, const Inputs<Real>& in, std::string_view isa, int n_jobs,
                    std::int64_t checkpoint_steps) {
    grulearn::Network<Real> network(c.config, isa);
    network.set_parameters(in.parameters.data());
    grulearn::TrainerConfig training;
    training.loss = c.loss;
    training.batch_size = c.batch_size;
    training.n_jobs = n_jobs;
    training.checkpoint_steps = checkpoint_steps;
    training.optimizer.weight_decay = c.weight_decay;
    training.optimizer.clip_norm = c.clip_norm;
    const std::int64_t columns = c.config.output_size / c.loss.outputs_of_a_target();
    grulearn::Trainer<Real> trainer(network, in.view(), in.targets_view(columns), training);
    Trained<Real> result;
    for (std::int64_t epoch = 0; epoch < c.epochs; ++epoch) {
        std::vector<double> losses(static_cast<std::size_t>(trainer.updates({})));
        trainer.run_epoch({}, c.learning_rate, losses);
        result.losses.insert(result.losses.end(), losses.begin(), losses.end());
    }
    result.parameters.resize(in.parameters.size());
    network.get_parameters(result.parameters.data());
    return result;
}

// A step of Adam is about the learning rate whatever the gradient's size, and where that is nearly zero its sign is
// rounding. So the typical difference is bounded tightly, and the largest by a part of the learning rate.
template <class Real>
void compare_parameters(const Case& c, const std::vector<Real>& actual, Report& report) {
    std::vector<double> difference;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        difference.push_back(std::abs(static_cast<double>(actual[i]) - c.trained[i]));
    }
    std::sort(difference.begin(), difference.end());
    const bool single = Tolerance<Real>::kFloat;
    const double median = difference[difference.size() / 2], largest = difference.back();
    report.check(median <= (single ? 1e-6 : 1e-14), "trained parameters: median difference " + std::to_string(median));
    report.check(largest <= (single ? 0.1 : 1e-7) * c.learning_rate,
                 "trained parameters: largest difference " + std::to_string(largest));
}

template <class Real>
void check_predict(const Case& c, const Inputs<Real>& in, std::string_view isa, Report& report) {
    grulearn::Network<Real> network(c.config, isa);
    network.set_parameters(in.parameters.data());
    std::vector<Real> one(c.predicted.size());
    network.predict(in.view(), one.data(), 1);
    report.near(std::span<const Real>(one), c.predicted, Tolerance<Real>::kForward, "predict");
    for (const int n_jobs : {2, 3}) {
        std::vector<Real> many(one.size());
        network.predict(in.view(), many.data(), n_jobs);
        report.same_bits(many, one, "predict, n_jobs=" + std::to_string(n_jobs));
    }
}

}  // namespace

template <class Real>
void check_training(const Case& c, std::string_view isa, Report& report) {
    if (c.config.output_size == 0) return;
    const Inputs<Real> in(c);
    check_predict(c, in, isa, report);
    if (c.batch_size == 0) return;
    const Trained<Real> one = train<Real>(c, in, isa, 1, 0);
    double largest = 0.0;
    for (const double loss : c.losses) largest = std::max(largest, loss);
    report.near(std::span<const double>(one.losses), c.losses, Tolerance<Real>::kLoss * largest, "losses");
    compare_parameters(c, one.parameters, report);
    for (const int n_jobs : {2, 3}) {
        const Trained<Real> many = train<Real>(c, in, isa, n_jobs, n_jobs == 2 ? 0 : 20);
        report.same_bits(many.losses, one.losses, "losses, n_jobs=" + std::to_string(n_jobs));
        report.same_bits(many.parameters, one.parameters, "trained parameters, n_jobs=" + std::to_string(n_jobs));
    }
}

template void check_training<float>(const Case&, std::string_view, Report&);
template void check_training<double>(const Case&, std::string_view, Report&);

}  // namespace native_tests
