// Where a sleeping thread wakes up.
#pragma once

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>

#include <atomic>
#endif

namespace grulearn {

// Keeps a thread that is about to be woken off the core of the one that wakes it.
//
// A virtual machine's idle core has given itself back to the host, and Linux prefers not to wake a thread there: it
// wakes it behind its waker, who is busy and does not move. A loop of 100 us is then over before the thread has begun,
// every time, while a core is idle. So the thread may not run on the waker's core while it wakes; it takes that back
// itself. The three calls take about 6 us together, and only threads that
// slept need them. Where they are not allowed or unknown
// nothing happens.
class WorkerPlace {
public:
#if defined(__linux__)
    // Of the thread itself, before it is woken for the first time.
    void settle() { thread_ = pthread_self(); }

    // Of the thread itself, around its sleep.
    void fall_asleep() { asleep_.store(true, std::memory_order_seq_cst); }
    void wake_up() {
        asleep_.store(false, std::memory_order_relaxed);
        take_back();
    }
    // Now and then as well: the waker may come with its call when the thread has just woken by itself.
    void take_back() {
        if (!narrowed_.load(std::memory_order_acquire)) return;
        if (pthread_setaffinity_np(thread_, sizeof before_, &before_) != 0) return;
        narrowed_.store(false, std::memory_order_release);
    }

    // Of the one who wakes it; not by two at once.
    void leave_core() {
        if (!asleep_.load(std::memory_order_seq_cst) || narrowed_.load(std::memory_order_acquire)) return;
        const int core = sched_getcpu();
        if (core < 0 || core >= CPU_SETSIZE) return;
        if (pthread_getaffinity_np(thread_, sizeof before_, &before_) != 0) return;
        cpu_set_t others = before_;
        CPU_CLR(static_cast<unsigned>(core), &others);
        if (CPU_COUNT(&others) == 0 || CPU_COUNT(&others) == CPU_COUNT(&before_)) return;
        if (pthread_setaffinity_np(thread_, sizeof others, &others) == 0) {
            narrowed_.store(true, std::memory_order_release);
        }
    }

private:
    pthread_t thread_{};
    cpu_set_t before_{};
    std::atomic<bool> asleep_{false}, narrowed_{false};
#else
    void settle() {}
    void fall_asleep() {}
    void wake_up() {}
    void take_back() {}
    void leave_core() {}
#endif
};

}  // namespace grulearn
