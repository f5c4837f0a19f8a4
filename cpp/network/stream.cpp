#include "grulearn/stream.hpp"

#include <algorithm>
#include <limits>

#include "cell_pass.hpp"
#include "grulearn/errors.hpp"
#include "pooling.hpp"
#include "step_encoder.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

template <class Real>
const Network<Real>& checked(const Network<Real>& network, std::int64_t n_streams) {
    const NetworkConfig& config = network.config();
    if (config.output_size == 0) throw InvalidArgument("a stream needs a head: the network's output_size is 0");
    if (config.bidirectional) {
        throw InvalidArgument("a bidirectional network has no stream: its reverse direction begins at the end");
    }
    if (!config.per_step && config.pool == Pool::attention) {
        throw InvalidArgument("pool 'attention' has no stream: each step changes the weights of all steps before");
    }
    if (n_streams < 1) throw InvalidArgument("n_streams must be at least 1, got " + std::to_string(n_streams));
    return network;
}

}  // namespace

template <class Real>
Stream<Real>::Stream(const Network<Real>& network, const StreamConfig& config)
    : network_(checked(network, config.n_streams)),
      decoding_({network.config().output_size, config.loss, config.target_mean, config.target_scale},
                network.kernels().name),
      n_streams_(config.n_streams),
      n_jobs_(config.n_jobs),
      encoder_(std::make_unique<StepEncoder<Real>>(network.config().input_size, config.mean, config.scale)) {
    const NetworkConfig& sizes = network.config();
    multiply_adds_ = 0;
    for (std::int64_t layer = 0; layer < sizes.num_layers; ++layer) {
        multiply_adds_ += multiply_adds(Cell<Real>{&network, layer, 0}.shape(), 1);
    }
    hidden_.resize(sizes.num_layers * n_streams_ * sizes.hidden_size);
    n_steps_.resize(static_cast<std::size_t>(n_streams_));
    const bool pools = !sizes.per_step && sizes.pool != Pool::last;
    if (pools) running_.resize(n_streams_ * sizes.hidden_size);
    if (pools && sizes.pool == Pool::mean) block_.resize(n_streams_ * sizes.hidden_size);
    rows_.resize(n_streams_ * sizes.input_size);
    gathered_.resize(hidden_.size());
    vectors_.resize(n_streams_ * sizes.hidden_size);
    outputs_.resize(n_streams_ * sizes.output_size);
    values_.resize(n_streams_ * sizes.output_size);
    for (std::int64_t stream = 0; stream < n_streams_; ++stream) reset(stream);
}

template <class Real>
Stream<Real>::~Stream() = default;

template <class Real>
void Stream<Real>::reset(std::int64_t stream) {
    const NetworkConfig& config = network_.config();
    const std::int64_t hidden = config.hidden_size;
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
        std::fill_n(state_of(layer, stream), hidden, Real{0});
    }
    n_steps_[static_cast<std::size_t>(stream)] = 0;
    const Real start = config.pool == Pool::max ? -std::numeric_limits<Real>::infinity() : Real{0};
    if (running_.size() > 0) std::fill_n(running_.data() + stream * hidden, hidden, start);
    if (block_.size() > 0) std::fill_n(block_.data() + stream * hidden, hidden, Real{0});
}

template <class Real>
std::vector<StreamArray<Real>> Stream<Real>::state() {
    const NetworkConfig& config = network_.config();
    std::vector<StreamArray<Real>> arrays{
        {"hidden", hidden_.data(), {config.num_layers, n_streams_, config.hidden_size}},
        {"n_steps", n_steps_.data(), {n_streams_}}};
    const auto pooled_array = [&](const char* name, Buffer<Real>& values) {
        if (values.size() > 0) arrays.push_back({name, values.data(), {n_streams_, config.hidden_size}});
    };
    pooled_array(config.pool == Pool::max ? "largest" : "sum", running_);
    pooled_array("block_sum", block_);
    return arrays;
}

template <class Real>
template <class Given>
bool Stream<Real>::step(const Given* x, const std::int64_t* streams, std::int64_t n) {
    if (!encoder_->encode(x, n, rows_.data())) return false;
    const int threads = worthwhile_threads(n_jobs_, n * multiply_adds_);
    for_row_blocks(threads, n, [&](std::int64_t begin, std::int64_t end) { advance(streams, begin, end); });
    return true;
}

template <class Real>
void Stream<Real>::advance(const std::int64_t* streams, std::int64_t begin, std::int64_t end) {
    const FlushDenormals flush;
    const NetworkConfig& config = network_.config();
    advance_states(streams, begin, end);
    const Real* items[kMaxGroup];
    for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t stream = streams == nullptr ? i : streams[i];
        ++n_steps_[static_cast<std::size_t>(stream)];
        items[i - begin] = pooled(stream, vectors_.data() + i * config.hidden_size);
    }
    HeadForward<Real> head;
    head.rows = end - begin;
    head.inputs = config.hidden_size;
    head.outputs = config.output_size;
    head.x = items;
    head.w = network_.packed() + network_.layout().head_weight;
    head.b = network_.packed() + network_.layout().head_bias;
    head.out = outputs_.data() + begin * config.output_size;
    network_.kernels().head_forward(head);
    decoding_.run(head.out, head.rows, values_.data() + begin * config.output_size);
}

template <class Real>
void Stream<Real>::advance_states(const std::int64_t* streams, std::int64_t begin, std::int64_t end) {
    const NetworkConfig& config = network_.config();
    const std::int64_t hidden = config.hidden_size, n = end - begin;
    const Real* x = rows_.data() + begin * config.input_size;
    // Where the states of these streams stand just as a step wants them, they are not copied.
    const bool consecutive = streams == nullptr || n == 1;
    if (consecutive && (config.num_layers == 1 || n == n_streams_)) {
        Real* h = state_of(0, streams == nullptr ? begin : streams[begin]);
        network_.step(x, h, h, n);
        return;
    }
    Real* h = gathered_.data() + begin * config.num_layers * hidden;
    const auto each_row = [&](const auto& copy) {
        for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
            for (std::int64_t i = 0; i < n; ++i) {
                const std::int64_t stream = streams == nullptr ? begin + i : streams[begin + i];
                copy(state_of(layer, stream), h + (layer * n + i) * hidden);
            }
        }
    };
    each_row([&](Real* state, Real* row) { std::copy_n(state, hidden, row); });
    network_.step(x, h, h, n);
    each_row([&](Real* state, Real* row) { std::copy_n(row, hidden, state); });
}

template <class Real>
const Real* Stream<Real>::pooled(std::int64_t stream, Real* vector) {
    const NetworkConfig& config = network_.config();
    const std::int64_t hidden = config.hidden_size;
    const Real* state = state_of(config.num_layers - 1, stream);
    if (running_.size() == 0) return state;
    PoolRows<Real> row;
    row.count = 1;
    row.size = hidden;
    row.x = &state;
    Real* running = running_.data() + stream * hidden;
    if (config.pool == Pool::max) {
        row.out = running;
        network_.kernels().pool_max(row);
        return running;
    }
    // As pool_sum adds the steps of a whole sequence: block by block, each by itself.
    Real* block = block_.data() + stream * hidden;
    row.out = block;
    network_.kernels().pool_sum(row);
    for (std::int64_t k = 0; k < hidden; ++k) vector[k] = running[k] + block[k];
    const std::int64_t n_steps = n_steps_[static_cast<std::size_t>(stream)];
    if (n_steps % kPoolBlock == 0) {
        std::copy_n(vector, hidden, running);
        std::fill_n(block, hidden, Real{0});
    }
    mean_of_sum(vector, hidden, n_steps);
    return vector;
}

template class Stream<float>;
template class Stream<double>;
template bool Stream<float>::step(const float*, const std::int64_t*, std::int64_t);
template bool Stream<float>::step(const double*, const std::int64_t*, std::int64_t);
template bool Stream<double>::step(const float*, const std::int64_t*, std::int64_t);
template bool Stream<double>::step(const double*, const std::int64_t*, std::int64_t);

}  // namespace grulearn
