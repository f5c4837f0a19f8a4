// What the core throws. Messages say what was wrong, what was expected and what was given.
#pragma once

#include <stdexcept>

namespace grulearn {

// An argument whose value or size does not fit; becomes ValueError in Python.
class InvalidArgument : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

// The caller asked to stop (Ctrl-C); everything computed so far is valid.
class Interrupted : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};

}  // namespace grulearn
