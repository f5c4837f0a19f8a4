#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <atomic>
#include <optional>

#include "arrays.hpp"
#include "bind.hpp"
#include "grulearn/training.hpp"

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

// A trainer together with the arrays that it views. In Python the trainer keeps the network alive.
template <class Real>
struct BoundTrainer {
    const Network<Real>& network;
    In<Real, 2> rows, targets;
    Trainer<Real> trainer;
    std::atomic_flag in_use{};

    BoundTrainer(Network<Real>& of, const In<Real, 2>& data, const In<std::int64_t, 1>& from,
                 const In<std::int64_t, 1>& sizes, const In<Real, 2>& wanted, std::int64_t batch_size, int n_jobs,
                 std::int64_t checkpoint_steps, const OptimizerConfig& optimizer)
        : network(of),
          rows(data),
          targets(wanted),
          trainer(of, view<Real>(rows, from, sizes), targets.data(), batch_size, n_jobs, checkpoint_steps, optimizer) {
        expect_shape("targets", targets, {extent(sizes, 0), network.config().output_size});
    }
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
auto run_epoch(BoundTrainer<Real>& bound, const std::optional<In<std::int64_t, 1>>& order, double learning_rate) {
    const Exclusive exclusive(bound.in_use);
    const bool nothing = order && order->size() == 0;
    const auto sequences = order ? view(*order) : std::span<const std::int64_t>();
    const std::int64_t count = nothing ? 0 : bound.trainer.batches(sequences);
    auto losses = fresh<double, 1>({count});
    if (count == 0) return losses;
    try {
        const nb::gil_scoped_release release;
        bound.trainer.run_epoch(sequences, learning_rate, {losses.data(), losses.size()}, &interrupted);
    } catch (const Interrupted&) {
        throw nb::python_error();  // PyErr_CheckSignals has set KeyboardInterrupt
    }
    return losses;
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
    bound.network.to_canonical(bound.trainer.gradients(), out.data());
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
void bind_one(nb::module_& m, const char* name, const char* doc) {
    nb::class_<BoundTrainer<Real>>(m, name, doc)
        .def(
            "__init__",
            [](BoundTrainer<Real>* self, Network<Real>& network, const In<Real, 2>& rows,
               const In<std::int64_t, 1>& starts, const In<std::int64_t, 1>& lengths, const In<Real, 2>& targets,
               std::int64_t batch_size, int n_jobs, double beta1, double beta2, double epsilon, double weight_decay,
               double clip_norm, std::int64_t checkpoint_steps) {
                new (self) BoundTrainer<Real>(network, rows, starts, lengths, targets, batch_size, checked_jobs(n_jobs),
                                              checked_checkpoint_steps(checkpoint_steps),
                                              {beta1, beta2, epsilon, weight_decay, clip_norm});
            },
            nb::keep_alive<1, 2>(), "network"_a, "rows"_a.noconvert(), "starts"_a.noconvert(), "lengths"_a.noconvert(),
            "targets"_a.noconvert(), nb::kw_only(), "batch_size"_a, "n_jobs"_a, "beta1"_a = 0.9, "beta2"_a = 0.999,
            "epsilon"_a = 1e-8, "weight_decay"_a = 0.0, "clip_norm"_a = 0.0, "checkpoint_steps"_a = 0)
        .def("run_epoch", &run_epoch<Real>, nb::arg("order").noconvert().none(), "learning_rate"_a,
             "One step for every batch of `order` (None: the sequences as they stand). Returns the mean squared error\n"
             "of each batch before its step. Ctrl-C raises KeyboardInterrupt between two batches.")
        .def("accumulate", &accumulate<Real>, "batch"_a.noconvert(),
             "Adds the gradient of a batch's sum of squared errors; returns that sum and the number of targets.")
        .def("gradients", &gradients<Real>, "The accumulated gradient, (n_parameters,).")
        .def("apply", &apply<Real>, "learning_rate"_a, "weight_sum"_a,
             nb::arg("gradients").noconvert().none() = nb::none(),
             "Divides the gradient by weight_sum, clips it, takes an Adam step and clears what was accumulated.\n"
             "`gradients` (n_parameters,) replaces the accumulated ones, for sums over several machines.");
}

}  // namespace

void bind_trainer(nb::module_& m) {
    bind_one<float>(
        m, "Trainer",
        "Trains a network with a head by Adam on the mean squared error of fixed data.\n\n"
        "rows (R, F), starts and lengths (N,), targets (N, O). weight_decay is decoupled and leaves biases\n"
        "alone; clip_norm bounds the global norm of the gradient, 0: no bound.");
    bind_one<double>(m, "Trainer64", "`Trainer` in float64.");
}

}  // namespace grulearn::bindings
