// Runs the items of a loop on several threads.
#pragma once

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

namespace detail {
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
