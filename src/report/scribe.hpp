#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "mlpipe/engine/ports.hpp"
#include "report/story.hpp"

namespace mlpipe::report {

// An engine::Reporter without the engine's Run: what the reports of this module are written as.
class Scribe {
 public:
  virtual ~Scribe() = default;
  virtual void started(const Story& story) = 0;
  virtual void changed(const Story& story, const engine::Transition& transition) = 0;  // the story has it already
  virtual void progressed(const Story& story, const engine::Progress& progress) = 0;
  virtual void noticed(const Story& story, std::string_view text) = 0;
  virtual std::optional<MonotonicTime> next_refresh(const Story&) const { return std::nullopt; }
  virtual void refresh(const Story&, MonotonicTime) {}
  virtual void finished(const Story& story) = 0;
  // The reporter goes away and the run never finished. Called only after started().
  virtual void abandoned(const Story&) {}
};

// Keeps the story of the run and lets `scribe` tell it. `clock` outlives the reporter.
std::unique_ptr<engine::Reporter> report_by(std::unique_ptr<Scribe> scribe, const Clock& clock);

}  // namespace mlpipe::report
