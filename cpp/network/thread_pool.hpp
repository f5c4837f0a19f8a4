// Runs the items of a loop on several threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace grulearn {

// Cores this process may use: CPU affinity and the cgroup's quota, at least 1.
int available_cores();

// Calls body(item, thread) for every item in [0, items), on at most `threads` threads; thread < threads. Each thread
// begins with its own contiguous part of the items and then helps the others, so the order is not fixed: an item must
// write its own results. body must not throw. Runs in the calling thread alone if threads <= 1, or while another thread
// of the process is using the pool.
template <class Body>
void parallel_for(int threads, std::int64_t items, const Body& body);

// Threads that work on the same steps and meet after each.
class Team {
public:
    static constexpr int kMaxSize = 64;

    explicit Team(int size) : size_(size) {}

    [[nodiscard]] int size() const { return size_; }
    // Returns once all threads of the team have called it as often; thread < size().
    void meet(int thread);
    // How long its threads have waited for others that were not just about to come.
    [[nodiscard]] std::chrono::steady_clock::duration waited() const {
        return std::chrono::steady_clock::duration(waited_.load(std::memory_order_relaxed));
    }

private:
    // How often a thread has come. Each has a line of its own, which travels once a meeting: a counter that all add to,
    // and a flag for the last one to raise, would travel three times, and a step of a small cell takes no longer.
    struct alignas(64) Arrivals {
        std::atomic<unsigned> count{0};
    };

    void wait_for(const Arrivals& other, unsigned meeting);

    int size_;
    std::atomic<int> sleepers_{0};
    std::atomic<std::chrono::steady_clock::rep> waited_{0};
    Arrivals arrivals_[kMaxSize];
};

// Calls body(team, thread) on up to `threads` threads at once, thread < team.size(). The team has one thread where no
// others come within microseconds: on a busy machine, or while another thread of the process is using the pool.
template <class Body>
void in_team(int threads, const Body& body);

namespace detail {
using TeamBody = void (*)(const void* context, Team& team, int thread);
void run_team(int threads, TeamBody body, const void* context);
using LoopBody = void (*)(const void* context, std::int64_t item, int thread);
void run_loop(int threads, std::int64_t items, LoopBody body, const void* context);
}  // namespace detail

template <class Body>
void parallel_for(int threads, std::int64_t items, const Body& body) {
    if (threads <= 1 || items <= 1) {
        for (std::int64_t item = 0; item < items; ++item) body(item, 0);
        return;
    }
    detail::run_loop(
        threads, items,
        [](const void* context, std::int64_t item, int thread) { (*static_cast<const Body*>(context))(item, thread); },
        &body);
}

template <class Body>
void in_team(int threads, const Body& body) {
    detail::run_team(
        threads,
        [](const void* context, Team& team, int thread) { (*static_cast<const Body*>(context))(team, thread); }, &body);
}

// While alive, denormal numbers count as zero in this thread: gates that saturate would otherwise slow a step tenfold.
class FlushDenormals {
public:
    FlushDenormals();
    ~FlushDenormals();
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

private:
    unsigned saved_;
};

}  // namespace grulearn
