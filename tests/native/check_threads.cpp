#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <chrono>
#include <csignal>
#include <thread>

#include "checks.hpp"
#include "grulearn/training.hpp"

#if defined(__SANITIZE_THREAD__)
#define NATIVE_TESTS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NATIVE_TESTS_THREAD_SANITIZER 1
#endif
#endif

namespace native_tests {

namespace {

// Enough work that two threads share it (the core keeps smaller loops on one), few enough rows that a large cell's
// steps are shared by panels in half of the problems. Half of each kind have embeddings and decay, and train in
// segments.
template <class Real>
struct Problem {
    grulearn::NetworkConfig config;
    std::vector<Real> parameters, rows, targets;
    std::vector<std::int64_t> starts, lengths;
    std::vector<std::int32_t> codes;

    Problem(bool by_panels, bool prepares) {
        const std::int64_t sequences = by_panels ? 3 : 96;
        config.input_size = 3;
        config.hidden_size = by_panels ? 150 : 40;
        config.output_size = 1;
        std::int64_t start = 0;
        for (std::int64_t i = 0; i < sequences; ++i) {
            starts.push_back(start);
            lengths.push_back(by_panels ? 20 : 1 + i % 17);
            start += lengths.back();
        }
        if (prepares) {
            config.decay = true;
            config.tables = {{5, 3}, {300, 2}};
            for (std::int64_t i = 0; i < start; ++i) {
                codes.push_back(static_cast<std::int32_t>(i % 5));
                codes.push_back(static_cast<std::int32_t>(i * 7 % 300));
            }
        }
        rows = wave(start * config.row_width(), 1.0, 0.37);
        targets = wave(sequences, 0.5, 0.9);
    }
    [[nodiscard]] grulearn::SequencesView<Real> view() const {
        grulearn::SequencesView<Real> view;
        view.n_rows = static_cast<std::int64_t>(rows.size()) / config.row_width();
        view.n_features = config.row_width();
        view.n_categorical = static_cast<std::int64_t>(config.tables.size());
        view.codes = codes.data();
        view.starts = starts;
        view.lengths = lengths;
        view.rows = rows.data();
        return view;
    }
    void set_parameters(grulearn::Network<Real>& network) const {
        network.set_parameters(wave(network.layout().canonical_size, 0.2, 1.7).data());
    }

    static std::vector<Real> wave(std::int64_t count, double height, double frequency) {
        std::vector<Real> values;
        for (std::int64_t i = 0; i < count; ++i) {
            values.push_back(static_cast<Real>(height * std::sin(frequency * static_cast<double>(i + 1))));
        }
        return values;
    }
};

template <class Real>
std::vector<Real> predictions(const grulearn::Network<Real>& network, const Problem<Real>& problem, int n_jobs) {
    std::vector<Real> out(problem.lengths.size());
    network.predict(problem.view(), out.data(), n_jobs);
    return out;
}

template <class Real>
std::vector<Real> states(const grulearn::Network<Real>& network, const Problem<Real>& problem, int n_jobs) {
    const auto hidden = static_cast<std::size_t>(problem.config.hidden_size);
    std::vector<Real> outputs(static_cast<std::size_t>(problem.view().n_rows) * hidden);
    std::vector<Real> h_n(problem.lengths.size() * hidden);
    network.forward(problem.view(), nullptr, outputs.data(), h_n.data(), n_jobs);
    return outputs;
}

template <class Real>
std::vector<Real> trained(const Problem<Real>& problem, std::string_view isa, int n_jobs, int epochs) {
    grulearn::Network<Real> network(problem.config, isa);
    problem.set_parameters(network);
    grulearn::TargetsView<Real> targets;
    targets.n_rows = static_cast<std::int64_t>(problem.lengths.size());
    targets.n_columns = 1;
    targets.values = problem.targets.data();
    grulearn::TrainerConfig training;
    training.batch_size = 96;
    training.n_jobs = n_jobs;
    training.bptt = problem.config.prepares_inputs() ? 6 : 0;
    grulearn::Trainer<Real> trainer(network, problem.view(), targets, training);
    std::vector<double> losses(static_cast<std::size_t>(trainer.updates({})));
    for (int epoch = 0; epoch < epochs; ++epoch) trainer.run_epoch({}, 0.01, losses);
    std::vector<Real> parameters(static_cast<std::size_t>(network.layout().canonical_size));
    network.get_parameters(parameters.data());
    return parameters;
}

// Calls body() in each of some threads at once; it returns whether its results were right.
template <class Body>
bool in_threads(int threads, const Body& body) {
    std::atomic<bool> right{true};
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&] {
            if (!body()) right.store(false);
        });
    }
    for (std::thread& thread : running) thread.join();
    return right.load();
}

// The child has none of the core's threads and must start its own. Exits with 0 if its results are the parent's.
template <class Real>
void check_fork(const grulearn::Network<Real>& network, const Problem<Real>& problem, Report& report) {
    const std::vector<Real> expected = predictions(network, problem, 2);
    const pid_t child = fork();
    if (child == 0) _exit(predictions(network, problem, 2) == expected ? 0 : 1);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    int status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (ended == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    report.check(ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
                 ended == 0 ? "a forked child hangs" : "a forked child fails or computes something else");
}

}  // namespace

template <class Real>
void check_threads(std::string_view isa, const Options& options, Report& report) {
    const int rounds = options.quick ? 2 : 12;
    for (const int kind : {0, 1, 2, 3}) {
        const Problem<Real> problem(kind % 2 == 1, kind >= 2);
        grulearn::Network<Real> network(problem.config, isa);
        problem.set_parameters(network);
        const auto predicted = predictions(network, problem, 1);
        const auto outputs = states(network, problem, 1);
        report.check(in_threads(4,
                                [&] {
                                    bool right = true;
                                    for (int i = 0; i < rounds; ++i) {
                                        right = right && predictions(network, problem, 2) == predicted;
                                        right = right && states(network, problem, 2 + i % 2) == outputs;
                                    }
                                    return right;
                                }),
                     "forward and predict in several threads at once: not the bits of one thread");
        const int epochs = options.quick ? 1 : 4;
        const auto parameters = trained(problem, isa, 1, epochs);
        report.check(in_threads(3, [&] { return trained(problem, isa, 2, epochs) == parameters; }),
                     "trainers in several threads at once: not the bits of one thread");
#if !defined(NATIVE_TESTS_THREAD_SANITIZER)
        // ThreadSanitizer does not follow threads that are started after a fork of a process with threads: it ends the
        // child ("starting new threads after multi-threaded fork is not supported").
        check_fork(network, problem, report);
#endif
    }
}

template void check_threads<float>(std::string_view, const Options&, Report&);
template void check_threads<double>(std::string_view, const Options&, Report&);

}  // namespace native_tests
