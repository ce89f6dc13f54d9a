#pragma once

#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/metadata/queries.hpp"

// A run that was interrupted goes on as it was begun.
namespace mlpipe::app {

// Does `said` ask for nothing that the interrupted run `run` was not begun with? conflict that lists what differs; what is
// not said is as the run has it.
Result<> check_as_begun(const RunCommand& said, const metadata::RunRow& run, const artifact::Root& root);

// Tells of labels that are asked for and that the run does not have.
void tell_of_other_labels(const RunCommand& said, const metadata::RunRow& run);
// Tells of files of the run's pipeline that have changed since it was begun. `pipeline`: where its file is now; empty: where
// it was.
void tell_of_changed_files(const metadata::RunRow& run, const artifact::Root& root, const std::string& pipeline);

}  // namespace mlpipe::app
