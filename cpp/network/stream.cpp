#include "grulearn/stream.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

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
    // More would overflow the sizes of arrays before they could ever be held in memory.
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    if (n_streams < 1 || n_streams > kMost) {
        throw InvalidArgument("n_streams must be from 1 to " + std::to_string(kMost) + ", got " +
                              std::to_string(n_streams));
    }
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
      encoder_(std::make_unique<StepEncoder<Real>>(config.encoding, config.n_streams)) {
    const NetworkConfig& sizes = network.config();
    if (config.encoding.row_width() != sizes.row_width()) {
        throw InvalidArgument("the features encode to rows of " + std::to_string(config.encoding.row_width()) +
                              " columns, and the network reads " + std::to_string(sizes.row_width()));
    }
    multiply_adds_ = 0;
    for (std::int64_t layer = 0; layer < sizes.num_layers; ++layer) {
        multiply_adds_ += multiply_adds(Cell<Real>{&network, layer, 0}.shape(), 1);
    }
    hidden_.resize(sizes.num_layers * n_streams_ * sizes.hidden_size);
    n_steps_.resize(static_cast<std::size_t>(n_streams_));
    const bool pools = !sizes.per_step && sizes.pool != Pool::last;
    if (pools) running_.resize(n_streams_ * sizes.hidden_size);
    if (pools && sizes.pool == Pool::mean) block_.resize(n_streams_ * sizes.hidden_size);
    rows_.resize(n_streams_ * sizes.row_width());
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
    encoder_->reset(stream);
}

template <class Real>
const StepEncoding& Stream<Real>::encoding() const {
    return encoder_->encoding();
}

template <class Real>
void Stream<Real>::set_clock(bool integers, double unit) {
    encoder_->set_clock(integers, unit);
}

template <class Real>
std::vector<CarriedArray> Stream<Real>::state() {
    using Type = CarriedArray::Type;
    constexpr Type kReal = std::is_same_v<Real, float> ? Type::float32 : Type::float64;
    const NetworkConfig& config = network_.config();
    std::vector<CarriedArray> arrays{
        {"hidden", kReal, hidden_.data(), {config.num_layers, n_streams_, config.hidden_size}},
        {"n_steps", Type::int64, n_steps_.data(), {n_streams_}}};
    const auto add_pooled = [&](const char* name, Buffer<Real>& values) {
        if (values.size() > 0) arrays.push_back({name, kReal, values.data(), {n_streams_, config.hidden_size}});
    };
    add_pooled(config.pool == Pool::max ? "largest" : "sum", running_);
    add_pooled("block_sum", block_);
    for (CarriedArray& array : encoder_->carried()) arrays.push_back(std::move(array));
    return arrays;
}

template <class Real>
bool Stream<Real>::step(const StepData& data) {
    const auto encode = [&](const auto* x) {
        return encoder_->encode(x, data.streams, data.n, data.times, n_steps_.data(), rows_.data());
    };
    if (!(data.single != nullptr ? encode(data.single) : encode(data.dbl))) return false;
    encoder_->remember(data.streams, data.n, data.times);
    const int threads = worthwhile_threads(n_jobs_, data.n * multiply_adds_);
    for_row_blocks(threads, data.n, [&](std::int64_t begin, std::int64_t end) { advance(data, begin, end); });
    return true;
}

template <class Real>
void Stream<Real>::advance(const StepData& data, std::int64_t begin, std::int64_t end) {
    const FlushDenormals flush;
    const NetworkConfig& config = network_.config();
    advance_states(data, begin, end);
    const Real* items[kMaxGroup];
    for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t stream = data.streams == nullptr ? i : data.streams[i];
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
void Stream<Real>::advance_states(const StepData& data, std::int64_t begin, std::int64_t end) {
    const NetworkConfig& config = network_.config();
    const std::int64_t hidden = config.hidden_size, n = end - begin;
    const std::int64_t* streams = data.streams;
    const Real* x = rows_.data() + begin * config.row_width();
    const std::int32_t* codes =
        data.codes == nullptr ? nullptr : data.codes + begin * static_cast<std::int64_t>(config.tables.size());
    // Where the states of these streams stand just as a step wants them, they are not copied.
    const bool consecutive = streams == nullptr || n == 1;
    if (consecutive && (config.num_layers == 1 || n == n_streams_)) {
        Real* h = state_of(0, streams == nullptr ? begin : streams[begin]);
        network_.step(x, h, h, n, codes);
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
    network_.step(x, h, h, n, codes);
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

}  // namespace grulearn
