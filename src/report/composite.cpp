#include <algorithm>

#include "mlpipe/report/reporters.hpp"

namespace mlpipe::report {
namespace {

class CompositeReporter final : public engine::Reporter {
 public:
  explicit CompositeReporter(std::vector<std::unique_ptr<engine::Reporter>> reporters)
      : reporters_(std::move(reporters)) {}

  void run_started(const engine::Run& run) override {
    for (auto& reporter : reporters_) reporter->run_started(run);
  }
  void transition(const engine::Run& run, const engine::Transition& transition) override {
    for (auto& reporter : reporters_) reporter->transition(run, transition);
  }
  void progress(const engine::Run& run, const engine::Progress& progress) override {
    for (auto& reporter : reporters_) reporter->progress(run, progress);
  }
  void notice(const engine::Run& run, std::string_view text) override {
    for (auto& reporter : reporters_) reporter->notice(run, text);
  }
  std::optional<MonotonicTime> next_refresh() const override {
    std::optional<MonotonicTime> earliest;
    for (const auto& reporter : reporters_) {
      const std::optional<MonotonicTime> next = reporter->next_refresh();
      if (next && (!earliest || *next < *earliest)) earliest = next;
    }
    return earliest;
  }
  void refresh(const engine::Run& run, MonotonicTime now) override {
    for (auto& reporter : reporters_) {
      const std::optional<MonotonicTime> next = reporter->next_refresh();
      if (next && *next <= now) reporter->refresh(run, now);
    }
  }
  void run_finished(const engine::Run& run) override {
    for (auto& reporter : reporters_) reporter->run_finished(run);
  }

 private:
  std::vector<std::unique_ptr<engine::Reporter>> reporters_;
};

}  // namespace

std::unique_ptr<engine::Reporter> make_composite_reporter(std::vector<std::unique_ptr<engine::Reporter>> reporters) {
  return std::make_unique<CompositeReporter>(std::move(reporters));
}

}  // namespace mlpipe::report
