#include "app/gc_plan.hpp"
#include "app/recorded_run.hpp"
#include "app/text_table.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {

std::string gc_text(const GcPlan& plan, bool removes_runs) {
  std::string text;
  if (!plan.runs.empty()) {
    TextTable table({{"RUN"}, {"PIPELINE"}, {"STATE"}, {"BEGUN"}, {"SIZE", Align::right}, {"FREES", Align::right}});
    for (const RunToGo& going : plan.runs) {
      table.add({going.run.id, printable(going.run.pipeline), std::string(state_text(going.run)),
                 to_local_time_text(going.run.created), bytes_text(going.bytes), bytes_text(going.frees)});
    }
    text += table.render(report::Color::no);
  } else if (removes_runs) {
    text += "no run goes\n";
  }
  if (!plan.leftovers.empty()) {
    if (!text.empty()) text += "\n";
    TextTable table({{"LEFTOVER"}, {"SIZE", Align::right}, {"NAME"}});
    for (const Leftover& leftover : plan.leftovers) {
      table.add({std::string(to_string(leftover.kind)), leftover.bytes == 0 ? "" : bytes_text(leftover.bytes),
                 printable(leftover.name)});
    }
    text += table.render(report::Color::no);
  }
  return text;
}

Value gc_value(const GcPlan& plan, const artifact::Root& root) {
  Value::List runs;
  for (const RunToGo& going : plan.runs) {
    runs.push_back(Value::Struct{{"run", going.run.id},
                                 {"pipeline", going.run.pipeline},
                                 {"state", state_text(going.run)},
                                 {"created", to_rfc3339(going.run.created)},
                                 {"bytes", going.bytes},
                                 {"frees", going.frees}});
  }
  Value::List leftovers;
  for (const Leftover& leftover : plan.leftovers) {
    Value::Struct entry{{"kind", to_string(leftover.kind)}, {"name", leftover.name}, {"bytes", leftover.bytes}};
    if (!leftover.run.empty()) entry.emplace("run", leftover.run);
    leftovers.push_back(std::move(entry));
  }
  Value::List remarks;
  for (const std::string& remark : plan.remarks) remarks.push_back(remark);
  return Value::Struct{{"root", root.path().string()},
                       {"runs", std::move(runs)},
                       {"leftovers", std::move(leftovers)},
                       {"remarks", std::move(remarks)},
                       {"frees", plan.frees}};
}

}  // namespace mlpipe::app
