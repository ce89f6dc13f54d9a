#pragma once

#include <functional>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::runner {

// The artifact that an importer with these inputs gives: what is at its URI now, as `store` describes it.
Result<engine::Artifact> look_at_import(const spec::ComponentSpec& component, const engine::TaskData& inputs,
                                        artifact::ArtifactStore& store, const std::function<bool()>& stop);
// The same without looking: no digest, no size.
Result<engine::Artifact> name_import(const spec::ComponentSpec& component, const engine::TaskData& inputs);

}  // namespace mlpipe::runner
