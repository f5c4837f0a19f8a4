// What a call of a stream is given and returns, as NumPy's arrays; included by stream.cpp alone.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <vector>

#include "grulearn/stream.hpp"
#include "numpy_arrays.hpp"

namespace nb = nanobind;

namespace grulearn::bindings {

namespace {

// Streams that Python's threads take turns at. In Python they keep the network alive.
template <class Real>
struct BoundStream {
    Stream<Real> stream;
    std::mutex turns;

    int time_type = -1;  // NumPy's type of times, once there is a clock

    BoundStream(const Network<Real>& network, const StreamConfig& config)
        : stream(network, config),
          named_(static_cast<std::size_t>(config.n_streams)),
          which_(static_cast<std::size_t>(config.n_streams)) {}

    // A copy of the numbers of streams, until the next call; null unless all are streams, and no two the same. A copy:
    // a long step runs without the GIL, and another thread may write to the caller's array.
    const std::int64_t* name(const std::int64_t* streams, std::int64_t n) {
        if (n > stream.size()) return nullptr;
        ++calls_;
        for (std::int64_t i = 0; i < n; ++i) {
            const std::int64_t number = which_[static_cast<std::size_t>(i)] = streams[i];
            if (number < 0 || number >= stream.size()) return nullptr;
            std::int64_t& latest = named_[static_cast<std::size_t>(number)];
            if (latest == calls_) return nullptr;
            latest = calls_;
        }
        return which_.data();
    }

private:
    std::int64_t calls_ = 0;
    std::vector<std::int64_t> named_;  // [stream] the latest call that named it
    std::vector<std::int64_t> which_;
};

// Waits without the GIL, which the one whose turn it is may need.
class Turn {
public:
    explicit Turn(std::mutex& turns) : turns_(turns) {
        if (turns_.try_lock()) return;
        const nb::gil_scoped_release release;
        turns_.lock();
    }
    ~Turn() { turns_.unlock(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    std::mutex& turns_;
};

// What a step is given. It holds no array: they live as long as the call.
template <class Real>
struct Inputs : StepData {
    bool stacked = false;  // (n, F), not (F,)

    // False unless all is just as the core wants it.
    bool read(BoundStream<Real>& bound, nb::handle x, nb::handle of, nb::handle code, nb::handle time) {
        PyArrayObject* array = plain_array(x);
        if (array == nullptr) return false;
        stacked = PyArray_NDIM(array) == 2;
        if (PyArray_NDIM(array) != 1 && !stacked) return false;
        if (PyArray_DIM(array, stacked ? 1 : 0) != bound.stream.encoding().features()) return false;
        n = stacked ? PyArray_DIM(array, 0) : 1;
        if (PyArray_TYPE(array) == NPY_FLOAT) single = data_of<float>(array);
        if (PyArray_TYPE(array) == NPY_DOUBLE) dbl = data_of<double>(array);
        return (single != nullptr || dbl != nullptr) && read_streams(bound, of) && read_codes(bound, code) &&
               read_times(bound, time);
    }

private:
    bool read_streams(BoundStream<Real>& bound, nb::handle of) {
        if (of.is_none()) return n == bound.stream.size();
        if (PyLong_CheckExact(of.ptr()) && !stacked) {
            int overflow = 0;
            const std::int64_t number = PyLong_AsLongLongAndOverflow(of.ptr(), &overflow);
            streams = overflow == 0 ? bound.name(&number, 1) : nullptr;
            return streams != nullptr;
        }
        PyArrayObject* array = plain_array(of);
        if (array == nullptr || PyArray_TYPE(array) != NPY_INT64 || PyArray_NDIM(array) != 1 || !stacked) return false;
        if (PyArray_DIM(array, 0) != n) return false;
        streams = bound.name(data_of<std::int64_t>(array), n);
        return streams != nullptr;
    }

    bool read_codes(BoundStream<Real>& bound, nb::handle code) {
        const std::vector<EmbeddingTable>& tables = bound.stream.network().config().tables;
        if (code.is_none() || tables.empty()) return code.is_none() && tables.empty();
        PyArrayObject* array = plain_array(code);
        const auto columns = static_cast<npy_intp>(tables.size());
        const npy_intp shape[2] = {stacked ? n : columns, columns};
        if (array == nullptr || PyArray_TYPE(array) != NPY_INT32 || !has_shape(array, stacked ? 2 : 1, shape)) {
            return false;
        }
        codes = data_of<std::int32_t>(array);
        for (npy_intp i = 0; i < n * columns; ++i) {
            if (codes[i] < 0 || codes[i] >= tables[static_cast<std::size_t>(i % columns)].codes) return false;
        }
        return true;
    }

    bool read_times(BoundStream<Real>& bound, nb::handle time) {
        const bool wanted = bound.stream.encoding().time == GapTime::given;
        if (time.is_none() || !wanted) return time.is_none() && !wanted;
        PyArrayObject* array = plain_array(time);
        const npy_intp shape[1] = {static_cast<npy_intp>(n)};
        if (array == nullptr || PyArray_TYPE(array) != bound.time_type || !has_shape(array, stacked, shape)) {
            return false;
        }
        times = data_of<TimeBits>(array);
        return true;
    }
};

enum class Wanted { predictions, values, probabilities, decisions };

// What a step returns: for each row, columns of its values or decisions made from them. Without rows and with one
// column it is a number.
template <class Real, Wanted wanted>
class Result {
public:
    using Item = std::conditional_t<wanted == Wanted::decisions, std::int64_t, double>;

    Result(const Stream<Real>& stream, const Inputs<Real>& inputs)
        : decoding_(stream.decoding()), n_(inputs.n), columns_(count_columns()) {
        if (inputs.stacked) shape_[rank_++] = n_;
        if (columns_ > 1) shape_[rank_++] = columns_;
    }

    // The caller's array, or none: a new one. False if it is not just as it should be.
    bool take(nb::handle out) {
        if (!out.is_none()) {
            array_ = plain_array(out, true);
            if (array_ == nullptr || PyArray_TYPE(array_) != numpy_type<Item>()) return false;
            if (!has_shape(array_, rank_, shape_)) return false;
            object_ = nb::borrow(out);
        } else if (rank_ > 0) {
            object_ = new_array(rank_, shape_, numpy_type<Item>());
            array_ = reinterpret_cast<PyArrayObject*>(object_.ptr());
        }
        return true;
    }

    nb::object of(const Stream<Real>& stream) {
        const Real* outputs = stream.outputs();
        const double* values = stream.values();
        Item number;
        Item* to = array_ == nullptr ? &number : data_of<Item>(array_);
        for (std::int64_t row = 0; row < n_; ++row, to += columns_) {
            if constexpr (wanted == Wanted::values) std::copy_n(values, columns_, to);
            if constexpr (wanted == Wanted::probabilities) {
                if (decoding_.outputs() == 1) *to = 1.0 - *values;
                std::copy_n(values, decoding_.outputs(), to + columns_ - decoding_.outputs());
            }
            if constexpr (wanted == Wanted::decisions) decoding_.decide(outputs, to);
            if constexpr (wanted == Wanted::predictions) {
                for (std::int64_t k = 0; k < columns_; ++k) {
                    to[k] = values[decoding_.predictions()[static_cast<std::size_t>(k)]];
                }
            }
            outputs += decoding_.outputs();
            values += decoding_.outputs();
        }
        return array_ == nullptr ? nb::cast(number) : object_;
    }

private:
    [[nodiscard]] std::int64_t count_columns() const {
        if constexpr (wanted == Wanted::values) return decoding_.outputs();
        if constexpr (wanted == Wanted::probabilities) return std::max<std::int64_t>(decoding_.outputs(), 2);
        if constexpr (wanted == Wanted::decisions) return decoding_.n_decisions();
        return static_cast<std::int64_t>(decoding_.predictions().size());
    }

    const Decoding& decoding_;
    std::int64_t n_, columns_;
    int rank_ = 0;
    npy_intp shape_[2];
    PyArrayObject* array_ = nullptr;
    nb::object object_;
};

}  // namespace

}  // namespace grulearn::bindings
