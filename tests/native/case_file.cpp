#include "case_file.hpp"

#include <array>
#include <bit>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace native_tests {

namespace {

static_assert(std::endian::native == std::endian::little, "the file is little-endian and read as it stands");

class Reader {
public:
    explicit Reader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
        std::array<char, 8> magic{};
        read(magic.data(), magic.size());
        if (std::string_view(magic.data(), magic.size()) != "GRUCASE2") {
            throw std::runtime_error(path + ": not a file of make_cases.py (expected it to begin with GRUCASE2)");
        }
    }

    std::int64_t integer() {
        std::int64_t value = 0;
        read(&value, sizeof value);
        return value;
    }

    std::vector<double> array() {
        std::vector<double> values(static_cast<std::size_t>(integer()));
        read(values.data(), values.size() * sizeof(double));
        return values;
    }

    std::vector<std::int64_t> integers() {
        const std::vector<double> values = array();
        return {values.begin(), values.end()};
    }

private:
    void read(void* to, std::size_t bytes) {
        if (!file_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes))) {
            throw std::runtime_error(path_ + ": cannot be read, or ends too early; write it with make_cases.py");
        }
    }

    std::string path_;
    std::ifstream file_;
};

std::string describe(const Case& c, std::int64_t index) {
    const grulearn::NetworkConfig& n = c.config;
    return "case " + std::to_string(index) + " (F=" + std::to_string(n.input_size) +
           " H=" + std::to_string(n.hidden_size) + " L=" + std::to_string(n.num_layers) +
           " D=" + std::to_string(n.directions()) + " reset_after=" + std::to_string(n.reset_after) +
           " bias=" + std::to_string(n.bias) + " O=" + std::to_string(n.output_size) +
           " pool=" + std::to_string(static_cast<int>(n.pool)) + " per_step=" + std::to_string(n.per_step) +
           " loss=" + std::to_string(static_cast<int>(c.loss.loss)) + " N=" + std::to_string(c.size()) +
           " steps=" + std::to_string(c.steps) + " h0=" + std::to_string(c.has_h0) + ")";
}

Case read_case(Reader& in, std::int64_t index) {
    Case c;
    c.config.input_size = in.integer();
    c.config.hidden_size = in.integer();
    c.config.num_layers = in.integer();
    c.config.bidirectional = in.integer() == 2;
    c.config.output_size = in.integer();
    in.integer();  // N, which the lengths tell too
    c.batch_size = in.integer();
    c.epochs = in.integer();
    c.config.reset_after = in.integer() != 0;
    c.config.bias = in.integer() != 0;
    c.has_h0 = in.integer() != 0;
    c.quick = in.integer() != 0;
    c.huge = in.integer() != 0;
    c.config.pool = static_cast<grulearn::Pool>(in.integer());
    c.config.per_step = in.integer() != 0;
    c.loss.loss = static_cast<grulearn::Loss>(in.integer());
    c.steps = in.integer();
    in.integer();  // parameter arrays, which part_sizes tells too
    c.lengths = in.integers();
    c.part_sizes = in.integers();
    const std::vector<double> training = in.array();
    c.learning_rate = training.at(0);
    c.weight_decay = training.at(1);
    c.clip_norm = training.at(2);
    c.loss.delta = training.at(3);
    if (c.loss.loss == grulearn::Loss::pinball) c.loss.quantiles.assign(training.begin() + 4, training.end());
    for (auto* values : {&c.parameters, &c.rows, &c.h0, &c.d_outputs, &c.d_h_n, &c.targets, &c.weights, &c.outputs,
                         &c.h_n, &c.d_parameters, &c.d_rows, &c.d_h0, &c.predicted, &c.losses, &c.trained}) {
        *values = in.array();
    }
    std::int64_t start = 0;
    for (const std::int64_t length : c.lengths) {
        c.starts.push_back(start);
        start += length;
    }
    c.name = describe(c, index);
    return c;
}

}  // namespace

std::vector<Case> read_cases(const std::string& path) {
    Reader in(path);
    std::vector<Case> cases;
    const std::int64_t count = in.integer();
    for (std::int64_t i = 0; i < count; ++i) cases.push_back(read_case(in, i));
    return cases;
}

}  // namespace native_tests
