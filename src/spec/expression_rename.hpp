#pragma once

#include <functional>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {

// The same expression with every reference replaced by what `rename` gives for it.
Expression renamed(const Expression& expression, const std::function<Reference(const Reference&)>& rename);
Template renamed(const Template& text, const std::function<Reference(const Reference&)>& rename);
Word renamed(const Word& word, const std::function<Reference(const Reference&)>& rename);

}  // namespace mlpipe::spec
