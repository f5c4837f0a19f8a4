// What stands between the caller's rows and layer 0: nothing, or embeddings and GRU-D's decay.
#pragma once

#include <cstdint>
#include <vector>

#include "cell_pass.hpp"
#include "table_gradients.hpp"

namespace grulearn {

// Rows as layer 0 reads them, of a few of the caller's: from [count] rows, codes [count] of their codes (null: no
// tables), to [count].
template <class Real>
void prepare_rows(const Network<Real>& network, std::int64_t count, const Real* const* from,
                  const std::int32_t* const* codes, Real* const* to);

// The inputs of layer 0 for the row-steps of a plan, with the memory they need, kept from one plan to the next. Chosen
// once a batch: a network that prepares nothing reads the caller's rows as before.
template <class Real>
class InputStage {
public:
    explicit InputStage(const Network<Real>& network) : network_(network), config_(network.config()) {}

    // They live until the next call. The plan must live as long.
    LayerInputs<Real> forward(const BatchPlan& plan, const SequencesView<Real>& sequences, int n_jobs);

    // Where the gradients by the rows of the latest forward are wanted; base null: nowhere. Of the columns in
    // [first_learned, end_learned), which depend on what is learned.
    RowSpace<Real> d_rows();
    [[nodiscard]] std::int64_t first_learned() const { return config_.decay ? 0 : config_.numeric_inputs(); }
    [[nodiscard]] std::int64_t end_learned() const {
        return config_.tables.empty() ? config_.input_size : config_.cell_inputs();
    }
    // Once they are there: adds the gradients of decay's rates of inputs to packed gradients, and replaces `tables`
    // [table] by those of the embeddings.
    void backward(Real* gradients, std::vector<TableGradients<Real>>& tables);

private:
    // Of row-steps [begin, begin + count).
    void collect(std::int64_t begin, std::int64_t count, const Real** rows, const std::int32_t** codes) const;
    void add_rate_gradients(Real* gradients) const;

    const Network<Real>& network_;
    const NetworkConfig& config_;
    const BatchPlan* plan_ = nullptr;
    const SequencesView<Real>* sequences_ = nullptr;
    Buffer<Real> rows_, d_rows_;       // (row-steps, inputs of layer 0), in time order
    std::vector<std::int32_t> codes_;  // [row-steps] of one table
};

}  // namespace grulearn
