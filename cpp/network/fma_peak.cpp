#include "fma_peak.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "grulearn/errors.hpp"

namespace grulearn {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
}

// So many threads meet here again and again. They poll: a sleeper's wake-up would cost a percent of a slice.
class Meeting {
public:
    explicit Meeting(int threads) : threads_(threads) {}

    void wait() {
        const int round = round_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
            arrived_.store(0, std::memory_order_relaxed);
            round_.store(round + 1, std::memory_order_release);
            return;
        }
        while (round_.load(std::memory_order_acquire) == round && !called_off_.load(std::memory_order_acquire)) {
            std::this_thread::yield();
        }
    }

    // Nobody waits any longer.
    void call_off() { called_off_.store(true, std::memory_order_release); }

private:
    const int threads_;
    std::atomic<int> arrived_{0}, round_{0};
    std::atomic<bool> called_off_{false};
};

struct Slice {
    Clock::time_point begin, end;
};

// From the first thread's begin to the last one's end, so that threads which share a core count as one.
double duration(const std::vector<Slice>& slices) {
    Slice all = slices.front();
    for (const Slice& slice : slices) {
        all.begin = std::min(all.begin, slice.begin);
        all.end = std::max(all.end, slice.end);
    }
    return seconds_between(all.begin, all.end);
}

// Rounds that take about as long as a slice should, on one thread.
template <class Real>
std::int64_t rounds_of_a_slice(const KernelTable<Real>& kernels) {
    constexpr double kSlice = 5e-3;
    for (std::int64_t rounds = 1024;; rounds *= 2) {
        const auto begin = Clock::now();
        kernels.peak(rounds);
        const double taken = seconds_between(begin, Clock::now());
        if (taken > kSlice / 4) return static_cast<std::int64_t>(static_cast<double>(rounds) * kSlice / taken) + 1;
    }
}

// One measurement: its threads and what they share.
template <class Real>
class Measurement {
public:
    Measurement(const KernelTable<Real>& kernels, int threads, double seconds)
        : kernels_(kernels),
          deadline_(Clock::now() + std::chrono::duration<double>(seconds)),
          rounds_(rounds_of_a_slice(kernels)),
          slices_(static_cast<std::size_t>(threads)),
          meeting_(threads) {}

    double run() {
        std::vector<std::thread> others;
        try {
            for (std::size_t thread = 1; thread < slices_.size(); ++thread) {
                others.emplace_back([this, thread] { work(thread); });
            }
            work(0);
        } catch (...) {  // no more threads to be had
            over_ = true;
            meeting_.call_off();
            for (std::thread& other : others) other.join();
            throw;
        }
        for (std::thread& other : others) other.join();
        return best_;
    }

private:
    void work(std::size_t thread) {
        Slice& own = slices_[thread];
        while (true) {
            meeting_.wait();
            if (over_) return;
            own.begin = Clock::now();
            const std::int64_t operations = kernels_.peak(rounds_);
            own.end = Clock::now();
            meeting_.wait();
            if (thread > 0) continue;
            const double all = static_cast<double>(operations) * static_cast<double>(slices_.size());
            best_ = std::max(best_, all / duration(slices_));
            over_ = Clock::now() >= deadline_;
        }
    }

    const KernelTable<Real>& kernels_;
    const std::chrono::time_point<Clock, std::chrono::duration<double>> deadline_;
    const std::int64_t rounds_;
    std::vector<Slice> slices_;
    Meeting meeting_;
    double best_ = 0.0;
    bool over_ = false;  // written by the first thread while the others wait
};

}  // namespace

template <class Real>
double fma_peak(const KernelTable<Real>& kernels, int threads, double seconds) {
    if (threads < 1 || threads > 1024) {
        throw InvalidArgument("n_threads must be between 1 and 1024, got " + std::to_string(threads));
    }
    if (!(seconds > 0.0 && seconds <= 60.0)) {
        throw InvalidArgument("seconds must be above 0 and at most 60, got " + std::to_string(seconds));
    }
    return Measurement<Real>(kernels, threads, seconds).run();
}

template double fma_peak(const KernelTable<float>&, int, double);
template double fma_peak(const KernelTable<double>&, int, double);

}  // namespace grulearn
