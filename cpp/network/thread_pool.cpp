#include "thread_pool.hpp"

#include <sched.h>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "worker_place.hpp"

namespace grulearn {

namespace {

using Clock = std::chrono::steady_clock;

// A worker polls this long for the next loop before it sleeps. Loops of one training step follow each other within
// microseconds and a wake-up costs 5-50 us; longer polling would steal time from other processes.
constexpr std::chrono::microseconds kPolling{50};

// A team waits so long for its members: waking one takes 5-50 us, from a deep sleep more.
constexpr std::chrono::microseconds kGathering{200};

// Two gatherings that are missed within this time show a busy machine.
constexpr std::chrono::milliseconds kMissedAgain{10};

// A thread that waits longer than this for the others may have to do with a busy machine.
constexpr std::chrono::microseconds kLate{300};

// A thread without work waits this long before it takes over another's items: their rows are in the other's cache, and
// fetching them costs more than a wait of a few microseconds.
constexpr std::chrono::microseconds kPatience{20};

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// Waits for `value` to become other than `seen`: busily for some microseconds, then yielding the core at every look (on
// a busy machine the one that is waited for may need it), then asleep, counted among the sleepers if there is a count
// of them. Returns how long, if it had to yield.
template <class T>
Clock::duration wait_for_change(const std::atomic<T>& value, T seen, std::atomic<int>* sleepers = nullptr) {
    for (int i = 0; i < 200; ++i) {
        if (value.load(std::memory_order_acquire) != seen) return {};
        if (i >= 64) pause();
    }
    const auto begin = Clock::now();
    auto now = begin;
    do {
        if (value.load(std::memory_order_acquire) != seen) return now - begin;
        std::this_thread::yield();
        now = Clock::now();
    } while (now < begin + kPolling);
    if (sleepers != nullptr) sleepers->fetch_add(1, std::memory_order_seq_cst);
    value.wait(seen, std::memory_order_seq_cst);
    if (sleepers != nullptr) sleepers->fetch_sub(1, std::memory_order_seq_cst);
    return Clock::now() - begin;
}

// Items [next, end) that belong to one thread; others may take them once they have none left.
struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t begin = 0, end = 0;
};

class Pool {
public:
    void run(int threads, std::int64_t items, detail::LoopBody body, const void* context) {
        const std::unique_lock lock(in_use_, std::try_to_lock);
        if (!lock || crowded()) {
            for (std::int64_t item = 0; item < items; ++item) body(context, item, 0);
            return;
        }
        threads = std::min(threads, kMaxThreads);
        const auto begin = Clock::now();
        body_ = body;
        for (int t = 0; t < threads; ++t) {
            shares_[t].begin = items * t / threads;
            shares_[t].next.store(shares_[t].begin, std::memory_order_relaxed);
            shares_[t].end = items * (t + 1) / threads;
        }
        open(threads, context);
        work(0);
        // Workers that have not joined by now are not waited for: one that lost its core would cost milliseconds.
        const auto end = Clock::now();
        wait_for_leavers(joined_.exchange(kClosed, std::memory_order_acq_rel));
        // Items of unequal size leave a thread waiting as well, but hardly for four times what it worked itself.
        const auto waited = Clock::now() - end;
        back_off(waited > kLate && waited > 4 * (end - begin));
    }

    void run_team(int threads, detail::TeamBody body, const void* context) {
        const std::unique_lock lock(in_use_, std::try_to_lock);
        if (!lock || crowded()) {
            Team alone(1);
            body(context, alone, 0);
            return;
        }
        team_body_ = body;
        members_.store(0, std::memory_order_relaxed);
        team_.store(nullptr, std::memory_order_relaxed);
        threads = std::min(threads, Team::kMaxSize);
        open(threads, context);
        const auto until = Clock::now() + kGathering;
        while (members_.load(std::memory_order_relaxed) < threads - 1 && Clock::now() < until) pause();
        const int joined = joined_.exchange(kClosed, std::memory_order_acq_rel);
        // One that joined becomes a member, or saw that it came too late and leaves.
        while (members_.load(std::memory_order_acquire) + left_.load(std::memory_order_acquire) < joined) pause();
        Team team(members_.load(std::memory_order_acquire) + 1);
        const auto begin = Clock::now();
        team_.store(&team, std::memory_order_release);
        body(context, team, 0);
        wait_for_leavers(joined);
        team_body_ = nullptr;
        const auto took = Clock::now() - begin;
        if (team.size() < threads) {
            // One missed gathering may be the first after a sleep. Missed again soon, they have no core.
            if (begin < missed_at_ + kMissedAgain) back_off(true);
            missed_at_ = begin;
        } else {
            back_off(took > kLate && 2 * team.waited() > took * (team.size() - 1));
        }
    }

private:
    void open(int threads, const void* context) {
        start_workers(threads - 1);
        context_ = context;
        threads_.store(threads, std::memory_order_relaxed);
        left_.store(0, std::memory_order_relaxed);
        joined_.store(0, std::memory_order_release);
        loop_.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
        // With many cores the others are hardly all taken, and moving many threads would cost more than it brings.
        constexpr int kMoved = 8;
        for (int worker = 0; worker < std::min(threads - 1, kMoved); ++worker) places_[worker].leave_core();
        loop_.notify_all();
    }

    void wait_for_leavers(int joined) {
        for (int left = left_.load(std::memory_order_acquire); left < joined;
             left = left_.load(std::memory_order_acquire)) {
            wait_for_change(left_, left);
        }
    }

    void leave() {
        left_.fetch_add(1, std::memory_order_acq_rel);
        left_.notify_one();
    }

    // Threads that had to wait long for each other share their cores with somebody: a thread alone is faster then, and
    // much steadier. Tried again after a while that doubles each time; at most 100 ms, as the others may be gone.
    void back_off(bool late) {
        constexpr std::chrono::microseconds kFirst{10'000}, kLongest{100'000};
        if (!late) {
            crowded_for_ /= 2;
            return;
        }
        crowded_for_ = std::clamp(2 * crowded_for_, kFirst, kLongest);
        crowded_until_ = Clock::now() + crowded_for_;
    }

    [[nodiscard]] bool crowded() const { return crowded_for_.count() > 0 && Clock::now() < crowded_until_; }

    void work_in_team() {
        const int thread = members_.fetch_add(1, std::memory_order_acq_rel) + 1;
        wait_for_team();
        team_body_(context_, *team_.load(std::memory_order_acquire), thread);
    }

    void wait_for_team() const {
        for (int i = 0; team_.load(std::memory_order_acquire) == nullptr; ++i) {
            if (i < 1000) {
                pause();
            } else {
                std::this_thread::yield();
            }
        }
    }

    static constexpr int kClosed = -1;
    static constexpr int kMaxThreads = 256;

    void start_workers(int count) {
        while (n_workers_ < count) {
            std::thread([this, id = ++n_workers_] { serve(id); }).detach();
        }
    }

    // A thread's own items first: from loop to loop it gets the same part of the rows, which its cache still holds.
    void work(int thread) {
        const int threads = threads_.load(std::memory_order_relaxed);
        for (int i = 0; i < threads; ++i) {
            Share& share = shares_[(thread + i) % threads];
            if (i > 0 && finishes_soon(share)) continue;
            for (;;) {
                const std::int64_t item = share.next.fetch_add(1, std::memory_order_relaxed);
                if (item >= share.end) break;
                body_(context_, item, thread);
            }
        }
    }

    // Whether the owner of a share takes its last item within kPatience. One that has not begun has no core.
    static bool finishes_soon(const Share& share) {
        if (share.next.load(std::memory_order_relaxed) == share.begin) return share.begin == share.end;
        const auto until = Clock::now() + kPatience;
        do {
            for (int i = 0; i < 8; ++i) {
                if (share.next.load(std::memory_order_relaxed) >= share.end) return true;
                pause();
            }
        } while (Clock::now() < until);
        return false;
    }

    bool join(int id) {
        int joined = joined_.load(std::memory_order_acquire);
        while (joined != kClosed && id < threads_.load(std::memory_order_relaxed)) {
            if (!joined_.compare_exchange_weak(joined, joined + 1, std::memory_order_acq_rel)) continue;
            // Between the look and the exchange another loop may have opened, with fewer threads.
            if (id < threads_.load(std::memory_order_relaxed)) return true;
            leave();
            return false;
        }
        return false;
    }

    void serve(int id) {
        const FlushDenormals flush;
        WorkerPlace& place = places_[id - 1];
        place.settle();
        std::uint32_t seen = 0;
        for (;;) {
            seen = next_loop(seen, place);
            if (!join(id)) continue;
            if (team_body_ != nullptr) {
                work_in_team();
            } else {
                work(id);
            }
            leave();
            place.take_back();
        }
    }

    std::uint32_t next_loop(std::uint32_t seen, WorkerPlace& place) {
        const auto until = Clock::now() + kPolling;
        do {
            for (int i = 0; i < 64; ++i) {
                const std::uint32_t now = loop_.load(std::memory_order_acquire);
                if (now != seen) return now;
                pause();
            }
        } while (Clock::now() < until);
        place.take_back();
        place.fall_asleep();
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        loop_.wait(seen, std::memory_order_seq_cst);
        sleepers_.fetch_sub(1, std::memory_order_seq_cst);
        place.wake_up();
        return loop_.load(std::memory_order_acquire);
    }

    std::mutex in_use_;
    int n_workers_ = 0;
    // One loop: written only while it is closed.
    detail::LoopBody body_ = nullptr;
    detail::TeamBody team_body_ = nullptr;  // null: a loop
    std::atomic<Team*> team_{nullptr};
    std::atomic<int> members_{0};
    Clock::time_point crowded_until_{};
    std::chrono::microseconds crowded_for_{0};
    Clock::time_point missed_at_{};  // when a member of a team last came too late
    const void* context_ = nullptr;
    std::atomic<int> threads_{0};
    Share shares_[kMaxThreads];
    WorkerPlace places_[kMaxThreads];  // of the workers
    std::atomic<std::uint32_t> loop_{0};
    std::atomic<int> sleepers_{0};
    alignas(64) std::atomic<int> joined_{kClosed};
    alignas(64) std::atomic<int> left_{0};
};

// Never destroyed: its threads may still be polling when the process exits. A forked child has none of the threads
// (and perhaps a locked mutex), so it starts a new pool.
std::atomic<Pool*> current_pool{nullptr};

Pool& pool() {
    Pool* existing = current_pool.load(std::memory_order_acquire);
    if (existing != nullptr) return *existing;
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current_pool.store(nullptr); });
    static_cast<void>(registered);
    auto* created = new Pool;
    if (current_pool.compare_exchange_strong(existing, created, std::memory_order_acq_rel)) return *created;
    delete created;
    return *existing;
}

// Cores' worth of time that a cgroup (v2) of this folder grants; 0: no limit.
double quota_of(const std::string& folder) {
    std::string quota;
    double period = 0.0;
    if (std::ifstream file(folder + "/cpu.max"); file >> quota >> period && quota != "max" && period > 0.0) {
        return std::strtod(quota.c_str(), nullptr) / period;
    }
    return 0.0;
}

// The least of this process's cgroup and those above it (v2), or that of v1; 0: no limit.
double cgroup_quota() {
    const std::string root = "/sys/fs/cgroup";
    double least = quota_of(root);
    std::ifstream own("/proc/self/cgroup");
    for (std::string line; std::getline(own, line);) {
        if (line.rfind("0::/", 0) != 0) continue;
        for (std::string path = line.substr(3); path.size() > 1; path.resize(path.rfind('/'))) {
            const double quota = quota_of(root + path);
            if (quota > 0.0) least = least > 0.0 ? std::min(least, quota) : quota;
        }
    }
    if (least > 0.0) return least;
    double limit = 0.0, period = 0.0;
    std::ifstream limit_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (limit_file >> limit && period_file >> period && limit > 0.0 && period > 0.0) return limit / period;
    return 0.0;
}

}  // namespace

int available_cores() {
    int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = std::max(1, CPU_COUNT(&set));
#endif
    static const double quota = cgroup_quota();  // once: the files take 10 us to read
    return quota > 0.0 ? std::clamp(static_cast<int>(std::ceil(quota)), 1, cores) : cores;
}

void Team::meet(int thread) {
    if (size_ == 1) return;
    Arrivals& own = arrivals_[thread];
    const unsigned meeting = own.count.load(std::memory_order_relaxed) + 1;
    // In one order with sleepers_: whoever is about to sleep either is seen here, or sees the new count.
    own.count.store(meeting, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) own.count.notify_all();
    for (int other = 0; other < size_; ++other) {
        if (other != thread) wait_for(arrivals_[other], meeting);
    }
}

void Team::wait_for(const Arrivals& other, unsigned meeting) {
    // A count that is ahead belongs to a thread that has met all others already.
    unsigned count = other.count.load(std::memory_order_acquire);
    while (static_cast<int>(count - meeting) < 0) {
        const auto waited = wait_for_change(other.count, count, &sleepers_);
        if (waited.count() > 0) waited_.fetch_add(waited.count(), std::memory_order_relaxed);
        count = other.count.load(std::memory_order_acquire);
    }
}

void detail::run_team(int threads, TeamBody body, const void* context) { pool().run_team(threads, body, context); }

void detail::run_loop(int threads, std::int64_t items, LoopBody body, const void* context) {
    pool().run(threads, items, body, context);
}

#if defined(__x86_64__)
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040U); }  // FTZ and DAZ
FlushDenormals::~FlushDenormals() { _mm_setcsr(saved_); }
#else
FlushDenormals::FlushDenormals() : saved_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace grulearn
