// A stack of GRU layers and a linear head: sizes, parameters, inference.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "grulearn/buffer.hpp"
#include "grulearn/views.hpp"

namespace grulearn {

template <class Real>
struct KernelTable;

// How the states of a sequence's steps become the one vector that the head reads.
enum class Pool { last, mean, max, attention };

// The vectors that are learned for the codes of a categorical feature.
struct EmbeddingTable {
    std::int64_t codes = 0, size = 0;
};

struct NetworkConfig {
    std::int64_t input_size = 0;   // F, numeric features
    std::int64_t hidden_size = 0;  // H
    std::int64_t num_layers = 1;   // L
    bool bidirectional = false;    // D = 2
    bool reset_after = true;
    bool bias = true;              // of the GRU; the head always has one
    std::int64_t output_size = 0;  // O; 0: no head, and no pooling
    Pool pool = Pool::last;
    bool per_step = false;         // the head reads the last layer's state at every step, not a pooled one
    std::vector<EmbeddingTable> tables = {};  // of the categorical features
    bool decay = false;  // GRU-D: rows hold values, mask and gaps; what is missing decays, and so does the state

    // Zoneout: part of each unit's state that a step leaves as it was, in expectation. A Trainer draws which units
    // those are; everything else takes the expected state.
    double zoneout = 0.0;
    bool layer_norm = false;  // of each gate's products with W and U, by itself; with reset_after only

    [[nodiscard]] std::int64_t row_width() const { return decay ? 3 * input_size : input_size; }
    // Whether layer 0 reads something else than the rows; equations/inputs.py states it.
    [[nodiscard]] bool prepares_inputs() const { return decay || !tables.empty(); }
    [[nodiscard]] std::int64_t numeric_inputs() const { return decay ? 2 * input_size : input_size; }
    [[nodiscard]] std::int64_t cell_inputs() const {
        std::int64_t inputs = numeric_inputs();
        for (const EmbeddingTable& table : tables) inputs += table.size;
        return inputs;
    }
    [[nodiscard]] std::int64_t directions() const { return bidirectional ? 2 : 1; }
    [[nodiscard]] std::int64_t cells() const { return num_layers * directions(); }
    [[nodiscard]] std::int64_t state_size() const { return directions() * hidden_size; }
    [[nodiscard]] std::int64_t inputs_of_layer(std::int64_t layer) const {
        return layer == 0 ? cell_inputs() : state_size();
    }
};

// Where one cell's parameters begin in the packed array (kernels.hpp describes the layouts); -1: absent. They stand
// together, from w on.
struct CellLayout {
    std::int64_t w = 0, u = 0, bias = -1, gain = -1;
    std::int64_t size = 0;  // of all of them
};

// Where the parameters of decay begin; -1: absent.
struct DecayLayout {
    std::int64_t input_weight = -1, input_bias = -1;  // [F]
    std::int64_t hidden_weight = -1;  // [F][H, padded to whole vectors]
    std::int64_t hidden_bias = -1;  // [H, padded]
};

// Order and place of all parameters. "Canonical" is the order of PyTorch's state_dict, one array after another:
// weight_ih, weight_hh, bias_ih, bias_hh, gain_ih, gain_hh for each layer and direction, then the embedding tables,
// decay's parameters, the query of attention, and the head's weight and bias. In the packed array the tables, which may
// be larger than all else and of which a batch reads little, stand at the end.
struct ParameterLayout {
    ParameterLayout(const NetworkConfig& config, std::int64_t width);

    std::vector<CellLayout> cells;  // [layer * directions + direction]
    std::int64_t pool_query = -1;  // attention
    std::int64_t head_weight = -1, head_bias = -1;
    DecayLayout decay;
    std::vector<std::int64_t> tables;  // row-major
    std::int64_t dense_size = 0;  // of all but the tables
    std::int64_t packed_size = 0;
    std::int64_t canonical_size = 0;

    // Runs of the packed array. Weight decay leaves biases and gains alone; and decay's rates, which are no better for
    // being small; and embeddings, of which a rare one would shrink at every step and be drawn back by few.
    struct Segment {
        std::int64_t offset, size;
        bool decays;
    };
    std::vector<Segment> segments;
};

// Real: float or double.
template <class Real>
class Network {
public:
    // isa: name of an instruction set, or empty for the default.
    explicit Network(const NetworkConfig& config, std::string_view isa = {});

    [[nodiscard]] const NetworkConfig& config() const { return config_; }
    [[nodiscard]] const ParameterLayout& layout() const { return layout_; }
    [[nodiscard]] const KernelTable<Real>& kernels() const { return *kernels_; }
    [[nodiscard]] const Real* packed() const { return packed_.data(); }
    [[nodiscard]] Real* packed() { return packed_.data(); }

    // values: layout().canonical_size scalars.
    void set_parameters(const Real* values);
    void get_parameters(Real* values) const;
    // The same order for anything shaped like the parameters (gradients).
    void to_canonical(const Real* packed, Real* canonical) const;
    void to_packed(const Real* canonical, Real* packed) const;

    // outputs (sum of lengths, D * H), sequence after sequence; h0 (null: zeros) and h_n (L * D, N, H).
    void forward(const SequencesView<Real>& sequences, const Real* h0, Real* outputs, Real* h_n, int n_jobs) const;

    // One step of n rows for a one-directional network: x (n, row width), h and out (L, n, H); out may be h. codes
    // (n, tables), each within its table.
    void step(const Real* x, const Real* h, Real* out, std::int64_t n, const std::int32_t* codes = nullptr) const;

    // The head's outputs, before any link: out (N, O), or per_step (sum of lengths, O), sequence after sequence.
    void predict(const SequencesView<Real>& sequences, Real* out, int n_jobs) const;

private:
    NetworkConfig config_;
    const KernelTable<Real>* kernels_;
    ParameterLayout layout_;
    Buffer<Real> packed_;
};

}  // namespace grulearn
