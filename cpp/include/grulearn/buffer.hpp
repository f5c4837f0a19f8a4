// Memory for vectors: aligned to a cache line, never initialised twice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace grulearn {

// An array of float or double, aligned to 64 bytes, that keeps its memory when it shrinks.
template <class Real>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::int64_t size) { resize(size); }

    // The contents are undefined afterwards.
    Real* resize(std::int64_t size) {
        if (size > capacity_) {
            data_.reset();  // first, so that old and new memory are never held together
            data_.reset(static_cast<Real*>(::operator new(static_cast<std::size_t>(size) * sizeof(Real), kAlignment)));
            capacity_ = size;
        }
        size_ = size;
        return data_.get();
    }

    Real* resize_zeroed(std::int64_t size) {
        resize(size);
        std::fill_n(data_.get(), size, Real{0});
        return data_.get();
    }

    [[nodiscard]] Real* data() { return data_.get(); }
    [[nodiscard]] const Real* data() const { return data_.get(); }
    [[nodiscard]] std::int64_t size() const { return size_; }

private:
    static constexpr std::align_val_t kAlignment{64};
    struct Release {
        void operator()(Real* p) const { ::operator delete(p, kAlignment); }
    };

    std::unique_ptr<Real, Release> data_;
    std::int64_t size_ = 0;
    std::int64_t capacity_ = 0;
};

}  // namespace grulearn
