#include <fmt/format.h>

#include "app/lineage.hpp"
#include "app/show_text.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using metadata::Making;

constexpr std::size_t k_value_shown = 60;

// Lines with two spaces for each level.
class Lines final {
 public:
  explicit Lines(const Console& console) : console_(console) {}
  void add(std::size_t level, const std::string& text, Style style = Style::plain) {
    const std::string line = printable(text);
    text_ += std::string(level * 2, ' ') + styled(line, style, console_.color) + "\n";
  }
  // A line of which the beginning has a style.
  void add(std::size_t level, const std::string& head, Style style, const std::string& rest) {
    text_ += std::string(level * 2, ' ') + styled(printable(head), style, console_.color) + printable(rest) + "\n";
  }
  std::string take() { return std::move(text_); }

 private:
  const Console& console_;
  std::string text_;
};

bool is_importer(const Making& making) { return making.image.empty() && making.attempt > 0; }

std::string artifact_text(const engine::Artifact& artifact) {
  std::string text =
      fmt::format("  {}{}, {}", artifact.type, artifact.is_folder ? " (folder)" : "", bytes_text(artifact.bytes));
  if (!artifact.digest.empty()) text += ", " + short_digest(artifact.digest);
  return text;
}

std::string circumstances(const LineageNode& node) {
  const Making& making = node.making;
  std::string text = fmt::format(" of run {}", making.run);
  if (making.attempt > 1) text += fmt::format(", attempt {}", making.attempt);
  if (making.state != "succeeded" && making.state != "cached") text += ", " + making.state;
  if (making.finished) text += ", " + to_local_time_text(*making.finished);
  if (!making.cached_from.empty()) text += fmt::format(", cached from run {}", making.cached_from);
  if (making.removed) text += ", payload taken away";
  if (node.seen) text += " (as above)";
  if (node.cut) text += " (and so on: --depth shows more)";
  return text;
}

// What the code was and what it was told.
void add_making(Lines& lines, const Making& making, std::size_t level) {
  std::string code = fmt::format("component {}", making.component);
  if (!making.image.empty()) code += fmt::format(", image {}", making.image);
  if (!making.image_id.empty()) code += fmt::format(" ({})", short_digest(making.image_id));
  if (!making.git_commit.empty())
    code += fmt::format(", commit {}{}", making.git_commit.substr(0, 12), making.git_dirty ? " with changes" : "");
  lines.add(level, code, Style::faint);
  if (making.inputs.parameters.empty()) return;
  std::string parameters;
  for (const auto& [name, value] : making.inputs.parameters) {
    const std::string text = shorten(parameter_line(value), k_value_shown);
    const bool is_default = making.inputs.defaults.contains(name);
    parameters += fmt::format("{}{}={}{}", parameters.empty() ? "" : ", ", name, text, is_default ? " (default)" : "");
  }
  lines.add(level, "parameters " + parameters, Style::faint);
}

void add_up(Lines& lines, const LineageNode& node, const engine::Artifact& artifact, std::size_t level) {
  lines.add(level, (is_importer(node.making) ? "imported by " : "made by ") + node.making.task, Style::strong,
            circumstances(node));
  if (node.seen || node.cut) return;
  if (is_importer(node.making)) lines.add(level + 1, "from " + artifact.uri, Style::faint);
  if (!node.origin.empty()) {
    add_up(lines, node.origin.front(), artifact, level + 1);
    return;
  }
  add_making(lines, node.making, level + 1);
  for (const LineageNode::Link& link : node.links) {
    lines.add(level + 1, "from " + link.name, Style::active, artifact_text(link.artifact));
    for (const LineageNode& next : link.nodes) add_up(lines, next, link.artifact, level + 2);
    if (link.nodes.empty()) lines.add(level + 2, "no recorded run made it: " + link.artifact.uri, Style::warning);
  }
}

void add_down(Lines& lines, const LineageNode::Link& link, std::size_t level) {
  for (const LineageNode& node : link.nodes) {
    lines.add(level, "used by " + node.making.task, Style::strong,
              (node.as.empty() ? "" : " as " + node.as) + circumstances(node));
    for (const LineageNode::Link& output : node.links) {
      lines.add(level + 1, "made " + output.name, Style::active, artifact_text(output.artifact));
      add_down(lines, output, level + 2);
    }
  }
  if (link.more) lines.add(level, "and more", Style::faint);
}

Value artifact_value(const LineageNode::Link& link) {
  return Value::Struct{{"name", link.name},
                       {"type", link.artifact.type},
                       {"uri", link.artifact.uri},
                       {"digest", link.artifact.digest},
                       {"bytes", static_cast<std::int64_t>(link.artifact.bytes)},
                       {"folder", link.artifact.is_folder}};
}

Value::Struct node_value(const LineageNode& node) {
  const Making& making = node.making;
  Value::Struct value{
      {"run", making.run}, {"pipeline", making.pipeline}, {"task", making.task}, {"state", making.state}};
  if (making.attempt > 0) value.emplace("attempt", making.attempt);
  if (!making.cached_from.empty()) value.emplace("cached_from", making.cached_from);
  if (making.removed) value.emplace("removed", true);
  if (!node.as.empty()) value.emplace("input", node.as);
  if (node.seen) value.emplace("seen", true);
  if (node.cut) value.emplace("cut", true);
  if (node.seen) return value;
  if (is_importer(making)) value.emplace("importer", true);
  value.emplace("component", making.component);
  if (!making.image.empty()) value.emplace("image", making.image);
  if (!making.image_id.empty()) value.emplace("image_id", making.image_id);
  if (!making.git_commit.empty())
    value.emplace("git", Value::Struct{{"commit", making.git_commit}, {"dirty", making.git_dirty}});
  if (making.finished) value.emplace("finished", to_rfc3339(*making.finished));
  Value::Struct parameters;
  for (const auto& [name, parameter] : making.inputs.parameters) parameters.emplace(name, parameter);
  value.emplace("parameters", std::move(parameters));
  const auto& defaults = making.inputs.defaults;
  if (!defaults.empty()) value.emplace("defaults", Value::List(defaults.begin(), defaults.end()));
  return value;
}

Value up_value(const LineageNode& node) {
  Value::Struct value = node_value(node);
  if (!node.origin.empty()) value.emplace("origin", up_value(node.origin.front()));
  Value::List inputs;
  for (const LineageNode::Link& link : node.links) {
    Value input = artifact_value(link);
    if (!link.nodes.empty()) input.as_struct().emplace("made_by", up_value(link.nodes.front()));
    inputs.push_back(std::move(input));
  }
  if (!node.seen && !node.cut && node.origin.empty()) value.emplace("inputs", std::move(inputs));
  return value;
}

Value::Struct used_by(const LineageNode::Link& link) {
  Value::List nodes;
  for (const LineageNode& node : link.nodes) {
    Value::Struct value = node_value(node);
    Value::List outputs;
    for (const LineageNode::Link& output : node.links) {
      Value made = artifact_value(output);
      made.as_struct().merge(used_by(output));
      outputs.push_back(std::move(made));
    }
    if (!node.seen && !node.cut) value.emplace("outputs", std::move(outputs));
    nodes.push_back(std::move(value));
  }
  Value::Struct value{{"used_by", std::move(nodes)}};
  if (link.more) value.emplace("more", true);
  return value;
}

}  // namespace

std::string lineage_up_text(const LineageNode::Link& link, const Console& console) {
  Lines lines(console);
  lines.add(0, link.name, Style::active, artifact_text(link.artifact));
  for (const LineageNode& node : link.nodes) add_up(lines, node, link.artifact, 1);
  if (link.nodes.empty()) lines.add(1, "no recorded run made it: " + link.artifact.uri, Style::warning);
  if (link.more) lines.add(1, "and made by more", Style::faint);
  return lines.take();
}

std::string lineage_down_text(const LineageNode::Link& link, const Console& console) {
  Lines lines(console);
  lines.add(0, link.name, Style::active, artifact_text(link.artifact));
  add_down(lines, link, 1);
  if (link.nodes.empty()) lines.add(1, "nothing was made from it");
  return lines.take();
}

Value lineage_up_value(const LineageNode::Link& link) {
  Value::List makers;
  for (const LineageNode& node : link.nodes) makers.push_back(up_value(node));
  Value::Struct value{{"made_by", std::move(makers)}};
  if (link.more) value.emplace("more", true);
  return value;
}

Value lineage_down_value(const LineageNode::Link& link) { return used_by(link); }

}  // namespace mlpipe::app
