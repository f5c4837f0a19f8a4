#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "grulearn/training.hpp"
#include "losses.hpp"

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

template <class Real>
using TargetArray = std::variant<In<Real, 2>, In<std::int64_t, 1>>;

// What a network is to learn, as Python gives it.
template <class Real>
struct TargetArrays {
    TargetArray<Real> targets;
    std::optional<In<std::int64_t, 1>> starts;
    std::optional<In<Real, 1>> weights, step_weights;

    // per_step: whether the targets are those of steps, which begin where their sequences do if nothing else is said.
    [[nodiscard]] TargetsView<Real> view(const In<std::int64_t, 1>& sequence_starts, bool per_step) const {
        TargetsView<Real> view;
        if (const auto* values = std::get_if<In<Real, 2>>(&targets)) {
            view.n_rows = extent(*values, 0);
            view.n_columns = extent(*values, 1);
            view.values = values->data();
        } else {
            const auto& classes = std::get<In<std::int64_t, 1>>(targets);
            view.n_rows = extent(classes, 0);
            view.classes = classes.data();
        }
        if (weights) {
            expect_shape("sample_weight", *weights, {extent(sequence_starts, 0)});
            view.weights = weights->data();
        }
        if (step_weights) {
            expect_shape("step_weight", *step_weights, {view.n_rows});
            view.step_weights = step_weights->data();
        }
        if (starts) {
            view.starts = bindings::view(*starts);
        } else if (per_step) {
            view.starts = bindings::view(sequence_starts);
        }
        return view;
    }
};

// A trainer together with the arrays that it views. In Python the trainer keeps the network alive.
template <class Real>
struct BoundTrainer {
    const Network<Real>& network;
    In<Real, 2> rows;
    Codes codes;
    TargetArray<Real> targets;
    Trainer<Real> trainer;
    std::vector<double> batch_weights;  // of the latest epoch
    std::atomic_flag in_use{};

    BoundTrainer(Network<Real>& of, const In<Real, 2>& data, const In<std::int64_t, 1>& from,
                 const In<std::int64_t, 1>& sizes, const Codes& categorical, const TargetArrays<Real>& wanted,
                 const TrainerConfig& config)
        : network(of),
          rows(data),
          codes(categorical),
          targets(wanted.targets),
          trainer(of, view<Real>(rows, from, sizes, codes), wanted.view(from, of.config().per_step), config) {}
};

// Refuses a second thread: both would write the same gradients.
class Exclusive {
public:
    explicit Exclusive(std::atomic_flag& in_use) : flag_(in_use) {
        if (flag_.test_and_set()) throw InvalidArgument("this Trainer is at work in another thread");
    }
    ~Exclusive() { flag_.clear(); }
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;

private:
    std::atomic_flag& flag_;
};

// Asked between batches, without the GIL.
bool interrupted() {
    const nb::gil_scoped_acquire acquire;
    return PyErr_CheckSignals() != 0;
}

template <class Real>
auto run_epoch(BoundTrainer<Real>& bound, const std::optional<In<std::int64_t, 1>>& order, double learning_rate,
               double seconds) {
    const Exclusive exclusive(bound.in_use);
    const bool nothing = order && order->size() == 0;
    const auto sequences = order ? view(*order) : std::span<const std::int64_t>();
    const std::int64_t count = nothing ? 0 : bound.trainer.updates(sequences);
    auto losses = fresh<double, 1>({count});
    bound.batch_weights.assign(static_cast<std::size_t>(count), 0.0);
    if (count == 0) return losses;
    std::size_t measured = 0;
    try {
        const nb::gil_scoped_release release;
        measured = bound.trainer.run_epoch(sequences, learning_rate, {losses.data(), losses.size()},
                                           bound.batch_weights, &interrupted, seconds);
    } catch (const Interrupted&) {
        throw nb::python_error();  // PyErr_CheckSignals has set KeyboardInterrupt
    }
    if (measured == losses.size()) return losses;
    bound.batch_weights.resize(measured);
    auto part = fresh<double, 1>({static_cast<std::int64_t>(measured)});
    std::copy_n(losses.data(), measured, part.data());
    return part;
}

template <class Real>
auto accumulate(BoundTrainer<Real>& bound, const In<std::int64_t, 1>& batch) {
    const Exclusive exclusive(bound.in_use);
    LossSum sum;
    {
        const nb::gil_scoped_release release;
        sum = bound.trainer.accumulate(view(batch));
    }
    return std::tuple(sum.loss, sum.weight);
}

template <class Real>
auto gradients(const BoundTrainer<Real>& bound) {
    auto out = fresh<Real, 1>({bound.network.layout().canonical_size});
    bound.trainer.gradients(out.data());
    return out;
}

template <class Real>
void apply(BoundTrainer<Real>& bound, double learning_rate, double weight_sum,
           const std::optional<In<Real, 1>>& given) {
    const Exclusive exclusive(bound.in_use);
    if (!given) {
        bound.trainer.apply(learning_rate, weight_sum);
        return;
    }
    expect_shape("gradients", *given, {bound.network.layout().canonical_size});
    Buffer<Real> packed;
    packed.resize_zeroed(bound.network.layout().packed_size);
    bound.network.to_packed(given->data(), packed.data());
    bound.trainer.apply(learning_rate, weight_sum, packed.data());
}

template <class Real>
auto optimizer_state(const BoundTrainer<Real>& bound) {
    const std::int64_t size = bound.network.layout().canonical_size;
    auto first = fresh<Real, 1>({size});
    auto second = fresh<Real, 1>({size});
    bound.trainer.optimizer_state(first.data(), second.data());
    return std::tuple(first, second, bound.trainer.steps());
}

template <class Real>
void set_optimizer_state(BoundTrainer<Real>& bound, const In<Real, 1>& first_moment, const In<Real, 1>& second_moment,
                         std::int64_t n_steps) {
    const Exclusive exclusive(bound.in_use);
    const std::int64_t size = bound.network.layout().canonical_size;
    expect_shape("first_moment", first_moment, {size});
    expect_shape("second_moment", second_moment, {size});
    bound.trainer.set_optimizer_state(first_moment.data(), second_moment.data(), n_steps);
}

template <class Real>
auto averaged_parameters(const BoundTrainer<Real>& bound) {
    auto out = fresh<Real, 1>({bound.network.layout().canonical_size});
    bound.trainer.averaged_parameters(out.data());
    return out;
}

template <class Real>
auto average_state(const BoundTrainer<Real>& bound) {
    auto out = fresh<Real, 1>({bound.network.layout().canonical_size});
    bound.trainer.average_state(out.data());
    return std::tuple(out, bound.trainer.averaged_steps());
}

template <class Real>
void set_average_state(BoundTrainer<Real>& bound, const In<Real, 1>& average, std::int64_t n_steps) {
    const Exclusive exclusive(bound.in_use);
    expect_shape("average", average, {bound.network.layout().canonical_size});
    bound.trainer.set_average_state(average.data(), n_steps);
}

template <class Real>
auto batch_weights(const BoundTrainer<Real>& bound) {
    auto out = fresh<double, 1>({static_cast<std::int64_t>(bound.batch_weights.size())});
    std::copy(bound.batch_weights.begin(), bound.batch_weights.end(), out.data());
    return out;
}

template <class Real>
void make(BoundTrainer<Real>* self, Network<Real>& network, const In<Real, 2>& rows, const In<std::int64_t, 1>& starts,
          const In<std::int64_t, 1>& lengths, const TargetArray<Real>& targets, std::int64_t batch_size, int n_jobs,
          const std::string& loss, double delta, const std::vector<double>& quantiles,
          const std::optional<In<std::int64_t, 1>>& target_starts, const std::optional<In<Real, 1>>& sample_weight,
          const std::optional<In<Real, 1>>& step_weight, double beta1, double beta2, double epsilon,
          double weight_decay, double clip_norm, std::int64_t checkpoint_steps, const Codes& codes, std::int64_t bptt,
          double dropout, double recurrent_dropout, std::uint64_t seed, double label_smoothing, double average_decay) {
    new (self)
        BoundTrainer<Real>(network, rows, starts, lengths, codes, {targets, target_starts, sample_weight, step_weight},
                           {{loss_of(loss), delta, quantiles, label_smoothing},
                            batch_size,
                            checked_jobs(n_jobs),
                            checked_checkpoint_steps(checkpoint_steps),
                            {beta1, beta2, epsilon, weight_decay, clip_norm, average_decay},
                            bptt,
                            {dropout, recurrent_dropout, seed}});
}

template <class Real>
void bind_one(nb::module_& m, const char* name, const char* doc) {
    nb::class_<BoundTrainer<Real>>(m, name, doc)
        .def("__init__", &make<Real>, nb::keep_alive<1, 2>(), "network"_a, "rows"_a.noconvert(), "starts"_a.noconvert(),
             "lengths"_a.noconvert(), "targets"_a.noconvert(), nb::kw_only(), "batch_size"_a, "n_jobs"_a,
             "loss"_a = "squared_error", "delta"_a = 1.0, "quantiles"_a = std::vector<double>(),
             nb::arg("target_starts").noconvert().none() = nb::none(),
             nb::arg("sample_weight").noconvert().none() = nb::none(),
             nb::arg("step_weight").noconvert().none() = nb::none(), "beta1"_a = 0.9, "beta2"_a = 0.999,
             "epsilon"_a = 1e-8, "weight_decay"_a = 0.0, "clip_norm"_a = 0.0, "checkpoint_steps"_a = 0,
             nb::arg("codes").noconvert().none() = nb::none(), "bptt"_a = 0, "dropout"_a = 0.0,
             "recurrent_dropout"_a = 0.0, "seed"_a = 0, "label_smoothing"_a = 0.0, "average_decay"_a = 0.0)
        .def("run_epoch", &run_epoch<Real>, nb::arg("order").noconvert().none(), "learning_rate"_a,
             "seconds"_a = std::numeric_limits<double>::infinity(),
             "One step for every batch of `order` (None: the sequences as they stand), with bptt and\n"
             "target=\"sequence\" for every segment of its batches. Returns the mean loss before each step; 0 where\n"
             "nothing counts. After so many seconds no step but the first begins, and those that were made are\n"
             "returned. Ctrl-C raises KeyboardInterrupt between two batches or segments.")
        .def_prop_ro("batch_weights", &batch_weights<Real>, nb::rv_policy::automatic,
                     "The weights that the losses of the latest run_epoch are means over, (n_updates,).")
        .def("accumulate", &accumulate<Real>, "batch"_a.noconvert(),
             "Adds the gradient of the weighted sum of a batch's losses; returns that sum and that of the weights.")
        .def("gradients", &gradients<Real>, "The accumulated gradient, (n_parameters,).")
        .def("apply", &apply<Real>, "learning_rate"_a, "weight_sum"_a,
             nb::arg("gradients").noconvert().none() = nb::none(),
             "Divides the gradient by weight_sum, clips it, takes an Adam step and clears what was accumulated.\n"
             "`gradients` (n_parameters,) replaces the accumulated ones, for sums over several machines.")
        .def("optimizer_state", &optimizer_state<Real>,
             "Adam's first and second moments, (n_parameters,) each, and its number of steps: copies.")
        .def(
            "averaged_parameters", &averaged_parameters<Real>,
            "The moving average of the parameters after each step, (n_parameters,), corrected for its beginning at 0;\n"
            "before the first step the parameters.")
        .def("average_state", &average_state<Real>,
             "That average as it is kept, uncorrected, and its number of steps: copies.")
        .def("set_average_state", &set_average_state<Real>, "average"_a.noconvert(), "n_steps"_a,
             "Goes on from what average_state returned, here or of another trainer of such a network.")
        .def_prop_rw(
            "epoch", [](const BoundTrainer<Real>& self) { return self.trainer.epoch(); },
            [](BoundTrainer<Real>& self, std::int64_t epoch) {
                const Exclusive exclusive(self.in_use);
                self.trainer.set_epoch(epoch);
            },
            "The number of the epoch, which random masks depend on; run_epoch counts it up at its end.")
        .def("set_optimizer_state", &set_optimizer_state<Real>, "first_moment"_a.noconvert(),
             "second_moment"_a.noconvert(), "n_steps"_a,
             "Goes on from what optimizer_state returned, here or of another trainer of such a network.");
}

}  // namespace

void bind_trainer(nb::module_& m) {
    bind_one<float>(
        m, "Trainer",
        "Trains a network with a head by Adam on the mean loss of fixed data.\n\n"
        "rows (R, F), starts and lengths (N,). targets (N, K), or of a network with target=\"sequence\" (M, K), where\n"
        "those of a sequence's steps begin at its target_starts (N,) (None: at its starts) and NaN does not count.\n"
        "K is the number of outputs, divided by 2 for gaussian and by the number of quantiles for pinball; for\n"
        "cross_entropy targets are int64 class numbers (N,) or (M,), where -1 does not count with\n"
        "target=\"sequence\". sample_weight (N,), step_weight (M,). weight_decay is decoupled and leaves biases\n"
        "and the input's weights alone; clip_norm bounds the global norm of the gradient, 0: no bound.\n"
        "bptt: gradients pass through so many steps at most, 0: all; longer sequences are taken in segments, with\n"
        "the state carried from each to the next.\n"
        "dropout: the rate between layers and before the head; recurrent_dropout: that of the states that U "
        "multiplies,\n"
        "one mask for all steps of a sequence. Masks depend on the seed, the epoch, and a sequence's number and step\n"
        "alone; draw_masks gives them. label_smoothing: for cross_entropy and binary_cross_entropy. average_decay: of "
        "the\n"
        "moving average of the parameters; 0 keeps none.");
    bind_one<double>(m, "Trainer64", "`Trainer` in float64.");
}

}  // namespace grulearn::bindings
