// The groups of checks; each is run for float and double on every instruction set of the machine.
#pragma once

#include <string_view>
#include <vector>

#include "case_file.hpp"
#include "report.hpp"

namespace native_tests {

struct Options {
    bool quick = false;  // under an emulator: few cases, few threads
};

// Forward, single steps, recording and backward against the specification; the same bits over threads and checkpoints.
template <class Real>
void check_sequences(const Case& c, std::string_view isa, Report& report);

// Prediction, and the training step with Adam, against the specification.
template <class Real>
void check_training(const Case& c, std::string_view isa, Report& report);

// NaN stays in its sequence, rows in a batch do not see each other, wrong input is refused.
template <class Real>
void check_numbers(std::string_view isa, Report& report);

// Streams, step by step, against predictions on the steps so far.
template <class Real>
void check_streams(std::string_view isa, const Options& options, Report& report);

// Several threads in the core at once; a fork of a process that has threads.
template <class Real>
void check_threads(std::string_view isa, const Options& options, Report& report);

// A fixed problem for valgrind; prints the compiler and how many vector multiply-adds each part has to do. See
// instruction_counts.toml.
void run_for_counting();

}  // namespace native_tests
