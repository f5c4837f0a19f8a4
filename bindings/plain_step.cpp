#include "plain_step.hpp"

#include <algorithm>

#include "numpy_arrays.hpp"

namespace nb = nanobind;

namespace grulearn::bindings {

namespace {

// What a step needs to know of an array.
template <class Real>
struct Plain {
    Real* data = nullptr;
    bool given = false;  // not None
    bool fits = true;    // None, or as wanted

    // Shape (first, rows, last), without `first` if it is 0 and without `rows` if not stacked.
    Plain(nb::handle object, npy_intp first, npy_intp rows, npy_intp last, bool stacked, bool writable) {
        if (object.is_none()) return;
        given = true;
        fits = false;
        PyArrayObject* array = plain_array(object, writable);
        if (array == nullptr || PyArray_TYPE(array) != numpy_type<Real>()) return;
        const npy_intp* shape = PyArray_DIMS(array);
        int axis = 0;
        if (PyArray_NDIM(array) != (first > 0) + stacked + 1) return;
        if (first > 0 && shape[axis++] != first) return;
        if (stacked && shape[axis++] != rows) return;
        if (shape[axis] != last) return;
        data = data_of<Real>(array);
        fits = true;
    }
};

template <class Real>
bool overlap(const Real* a, npy_intp a_size, const Real* b, npy_intp b_size) {
    return a < b + b_size && b < a + a_size;
}

}  // namespace

void prepare_plain_step() { import_numpy(); }

template <class Real>
nb::object plain_step(const Network<Real>& network, nb::handle x, nb::handle h, nb::handle out) {
    const NetworkConfig& config = network.config();
    if (config.bidirectional || config.prepares_inputs() || !PyArray_CheckExact(x.ptr())) return nb::none();
    auto* x_array = reinterpret_cast<PyArrayObject*>(x.ptr());
    const bool stacked = PyArray_NDIM(x_array) == 2;
    const npy_intp rows = stacked ? PyArray_DIM(x_array, 0) : 1;
    const Plain<Real> inputs(x, 0, rows, config.input_size, stacked, false);
    const Plain<Real> before(h, config.num_layers, rows, config.hidden_size, stacked, false);
    const Plain<Real> after(out, config.num_layers, rows, config.hidden_size, stacked, true);
    if (!inputs.given || !inputs.fits || !before.fits || !after.fits) return nb::none();

    const npy_intp size = config.num_layers * rows * config.hidden_size;
    Real* to = after.data;
    nb::object result = nb::borrow(out);
    if (!after.given) {
        const npy_intp shape[3] = {config.num_layers, stacked ? rows : config.hidden_size, config.hidden_size};
        result = new_array(stacked ? 3 : 2, shape, numpy_type<Real>());
        to = data_of<Real>(reinterpret_cast<PyArrayObject*>(result.ptr()));
    } else if (overlap<Real>(to, size, inputs.data, rows * config.input_size) ||
               (before.given && before.data != to && overlap<Real>(to, size, before.data, size))) {
        return nb::none();
    }
    const Real* from = before.data;
    if (!before.given) {
        std::fill_n(to, size, Real{0});
        from = to;
    }
    // For microseconds of work, giving the GIL away and taking it back would cost more than it frees.
    constexpr npy_intp kShort = 64 * 1024;
    if (size > kShort) {
        const nb::gil_scoped_release release;
        network.step(inputs.data, from, to, rows);
    } else {
        network.step(inputs.data, from, to, rows);
    }
    return result;
}

template nb::object plain_step(const Network<float>&, nb::handle, nb::handle, nb::handle);
template nb::object plain_step(const Network<double>&, nb::handle, nb::handle, nb::handle);

}  // namespace grulearn::bindings
