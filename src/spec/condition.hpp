#pragma once

#include <functional>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {

// Whether `expression` can come to true or false, as far as its form and the types of what it names tell;
// `reference_may` answers for one reference that stands there alone.
bool may_be_boolean(const Expression& expression, const std::function<bool(const Reference&)>& reference_may);

}  // namespace mlpipe::spec
