#pragma once

#include <set>
#include <string>

#include "mlpipe/plan/plan.hpp"
#include "mlpipe/runner/result_cache.hpp"
#include "mlpipe/spec/diagnostic.hpp"
#include "mlpipe/spec/model.hpp"

// What tasks take from outside of the run, looked at before anything runs.
namespace mlpipe::app {

// A warning for each import of a local path where there is no file or folder to read now. Says nothing of those that may
// never run (`when`), that wait for other tasks (`after`), or whose path is known in the run only. Paths made of parameters
// are looked at when all parameters have defaults.
spec::Diagnostics warn_of_imports(const spec::PipelineSpec& spec);

// That the selected tasks of `plan` find what they take from outside: imports (as above), images whose names parameters
// make, and secrets. Else an Error that lists all they do not find: permission for secrets alone, else invalid_input.
// Tasks for which there is a result in `given` take nothing. Of a path made of a parameter in `said` it tells that -p gave it.
Result<> preflight(const plan::Plan& plan, const runner::GivenResults& given = {},
                   const std::set<std::string>& said = {});

}  // namespace mlpipe::app
