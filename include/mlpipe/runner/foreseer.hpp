#pragma once

#include <memory>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/engine/foresight.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/runner/result_cache.hpp"

namespace mlpipe::runner {

// Whether imports are read to know their digests, or taken as they are named: then nothing below them can be found in the cache.
enum class Imports { read, only_named };

// Foresees by what the cache, the tree and the engine have now. Borrows everything, for as long as it lives.
std::unique_ptr<engine::Foreseer> make_foreseer(const plan::Plan& plan, RunCache& cache, artifact::ArtifactStore& store,
                                                const FoundImages& images, Imports imports,
                                                const sys::StopSignal& stop);

}  // namespace mlpipe::runner
