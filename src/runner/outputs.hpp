#pragma once

#include <functional>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/engine/failpoint.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/spec/model.hpp"
#include "runner/attempt_files.hpp"

namespace mlpipe::runner {

// What a component that ended well left behind.
struct CollectedOutputs {
  engine::TaskData data;
  std::vector<std::string> missing;  // one sentence for each declared output that is absent or unusable
  std::string hint;                  // what to do about them, where more can be said than that they are needed
};

// Verifies and digests every declared output of an ended attempt, below files.work; nothing is moved yet. `digests`, or
// null, learns what was read.
Result<CollectedOutputs> collect_outputs(const spec::Interface& interface, const AttemptFiles& files,
                                         const artifact::ArtifactStore& store, std::string_view task_path,
                                         sys::FileDigests* digests, const std::function<bool()>& stop);

// Publishes the artifacts that collect_outputs() found whole.
Result<> commit_outputs(const spec::Interface& interface, const CollectedOutputs& outputs, const AttemptFiles& files,
                        artifact::ArtifactStore& store, const engine::Failpoint& failpoint,
                        const std::function<bool()>& stop);

}  // namespace mlpipe::runner
