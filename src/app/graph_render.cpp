#include "app/graph_render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "mlpipe/base/text.hpp"
#include "mlpipe/runner/images.hpp"

namespace mlpipe::app {
namespace {

using plan::TaskId;
namespace fs = std::filesystem;

// Tasks by the earliest layer they can be in.
std::vector<std::vector<TaskId>> layers_of(const plan::Plan& plan) {
  std::vector<std::size_t> layer_of(plan.size(), 0);
  std::vector<std::vector<TaskId>> layers;
  for (TaskId id : plan.order()) {
    std::size_t layer = 0;
    for (TaskId need : plan.needs(id)) layer = std::max(layer, layer_of[plan::index(need)] + 1);
    layer_of[plan::index(id)] = layer;
    if (layers.size() <= layer) layers.resize(layer + 1);
    layers[layer].push_back(id);
  }
  return layers;
}

// The longest path of tasks; of several the one that comes first in the file.
std::set<TaskId> longest_path(const plan::Plan& plan) {
  std::set<TaskId> path;
  const std::vector<TaskId>& order = plan.order();
  if (order.empty()) return path;
  TaskId at =
      *std::max_element(order.begin(), order.end(), [&](TaskId a, TaskId b) { return plan.rank(a) < plan.rank(b); });
  path.insert(at);
  while (plan.rank(at) > 1) {
    const std::span<const TaskId> next = plan.dependants(at);
    at = *std::find_if(next.begin(), next.end(), [&](TaskId id) { return plan.rank(id) + 1 == plan.rank(at); });
    path.insert(at);
  }
  return path;
}

std::string template_text(const spec::Template& text) {
  std::string out;
  for (const spec::Template::Part& part : text.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      out += *literal;
    } else {
      out += fmt::format("${{{{ {} }}}}", std::get<spec::Expression>(part).text());
    }
  }
  return printable(out);
}

// A digest's first digits tell it from others.
std::string with_short_digest(std::string image) {
  constexpr std::string_view k_digest = "@sha256:";
  constexpr std::size_t k_shown = 12;
  const std::size_t at = image.find(k_digest);
  if (at != std::string::npos) image.resize(std::min(image.size(), at + k_digest.size() + k_shown));
  return image;
}

// What a task is made of, in a few words: its image, what builds it, what it imports.
std::string what_runs(const plan::Plan& plan, TaskId id) {
  const spec::ComponentSpec& component = plan.component(id);
  if (const spec::ImporterSpec* importer = component.importer()) {
    return "import " + fs::path(template_text(importer->uri)).filename().string();
  }
  const spec::ContainerSpec* container = component.container();
  if (container == nullptr) return "pipeline " + printable(component.name);
  if (container->build_context.empty()) return with_short_digest(printable(runner::image_reference(plan, id)));
  const fs::path folder = container->build_context.lexically_normal();
  return "build " + printable((folder.filename().empty() ? folder.parent_path() : folder).filename().string());
}

std::string name_of(const plan::Plan& plan, TaskId id) { return printable(plan.task(id).path()); }

std::string notes_of(const plan::Plan& plan, TaskId id) {
  const spec::TaskSpec& task = *plan.task(id).spec;
  return task.when ? "when " + printable(task.when->text()) : std::string();
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, code_points(text)), ' ');
}

struct Marks {
  std::string_view critical, plain, alone, first, middle, last, needs;
};

constexpr Marks k_unicode{"●", "○", "─", "┬", "├", "└", "←"};
constexpr Marks k_ascii{"*", "o", "-", "+", "|", "`", "<-"};

std::string_view branch(const Marks& marks, std::size_t at, std::size_t count) {
  if (count == 1) return marks.alone;
  return at == 0 ? marks.first : at + 1 == count ? marks.last : marks.middle;
}

// Text between double quotes of a Mermaid label: what its parser or HTML would take for something else becomes an entity.
std::string mermaid_text(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    switch (c) {
      case '"': out += "#quot;"; break;
      case '#': out += "#35;"; break;
      case '&': out += "#amp;"; break;
      case '<': out += "#lt;"; break;
      case '>': out += "#gt;"; break;
      case '`': out += "#96;"; break;
      case '\\': out += "#92;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string dot_text(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string graph_text(const plan::Plan& plan, report::Glyphs glyphs) {
  const Marks& marks = glyphs == report::Glyphs::unicode ? k_unicode : k_ascii;
  const std::vector<std::vector<TaskId>> layers = layers_of(plan);
  const std::set<TaskId> critical = longest_path(plan);
  std::size_t names = 0;
  std::size_t images = 0;
  for (TaskId id : plan.order()) {
    names = std::max(names, code_points(name_of(plan, id)));
    images = std::max(images, code_points(what_runs(plan, id)));
  }
  std::string text = fmt::format("{}: {} {} in {} {}; {} marks the longest path\n\n", printable(plan.spec().name),
                                 plan.size(), plan.size() == 1 ? "task" : "tasks", layers.size(),
                                 layers.size() == 1 ? "layer" : "layers", marks.critical);
  const std::size_t digits = std::to_string(layers.size()).size();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    for (std::size_t i = 0; i < layers[layer].size(); ++i) {
      const TaskId id = layers[layer][i];
      const std::string number = i == 0 ? std::to_string(layer + 1) : std::string();
      std::string line = fmt::format("{:>{}} {} {} {}  {}", number, digits, branch(marks, i, layers[layer].size()),
                                     critical.count(id) > 0 ? marks.critical : marks.plain,
                                     padded(name_of(plan, id), names), padded(what_runs(plan, id), images));
      std::vector<std::string> needs;
      for (TaskId need : plan.needs(id)) needs.push_back(name_of(plan, need));
      if (!needs.empty()) line += fmt::format("  {} {}", marks.needs, join(needs, ", "));
      if (const std::string notes = notes_of(plan, id); !notes.empty()) line += fmt::format("  ({})", notes);
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
  }
  return text;
}

std::string graph_mermaid(const plan::Plan& plan) {
  const std::set<TaskId> critical = longest_path(plan);
  std::string text = fmt::format("---\ntitle: {}\n---\nflowchart TD\n", to_json(Value(printable(plan.spec().name))));
  for (TaskId id : plan.order()) {
    std::string label =
        fmt::format("<b>{}</b><br/>{}", mermaid_text(plan.task(id).path()), mermaid_text(what_runs(plan, id)));
    if (const std::string notes = notes_of(plan, id); !notes.empty())
      label += fmt::format("<br/><i>{}</i>", mermaid_text(notes));
    const bool imported = plan.component(id).is_importer();
    text += fmt::format("  t{}{}\"{}\"{}\n", plan::index(id), imported ? "[(" : "[", label, imported ? ")]" : "]");
  }
  for (TaskId id : plan.order()) {
    for (TaskId need : plan.needs(id)) text += fmt::format("  t{} --> t{}\n", plan::index(need), plan::index(id));
  }
  std::vector<std::string> ids;
  for (TaskId id : critical) ids.push_back(fmt::format("t{}", plan::index(id)));
  if (!ids.empty()) text += fmt::format("  classDef critical stroke-width:3px\n  class {} critical\n", join(ids, ","));
  return text;
}

std::vector<std::vector<TaskId>> necessary_needs(const plan::Plan& plan) {
  std::vector<std::size_t> place(plan.size());
  for (std::size_t i = 0; i < plan.order().size(); ++i) place[plan::index(plan.order()[i])] = i;
  const std::size_t words = (plan.size() + 63) / 64;
  std::vector<std::uint64_t> bits(plan.size() * words);  // all that a task waits for, a row each
  const auto row = [&](TaskId id) { return std::span(bits).subspan(plan::index(id) * words, words); };
  std::vector<std::vector<TaskId>> necessary(plan.size());
  for (TaskId id : plan.order()) {
    std::vector<TaskId> needs(plan.needs(id).begin(), plan.needs(id).end());
    // The latest first: what it waits for itself is then known to follow from it.
    std::ranges::sort(needs, std::greater(), [&place](TaskId need) { return place[plan::index(need)]; });
    const std::span<std::uint64_t> waits_for = row(id);
    for (TaskId need : needs) {
      std::uint64_t& word = waits_for[plan::index(need) / 64];
      const std::uint64_t bit = std::uint64_t{1} << (plan::index(need) % 64);
      if ((word & bit) != 0) continue;
      word |= bit;
      necessary[plan::index(id)].push_back(need);
      std::ranges::transform(waits_for, row(need), waits_for.begin(), std::bit_or<>());
    }
    std::ranges::sort(necessary[plan::index(id)]);
  }
  return necessary;
}

std::string graph_dot(const plan::Plan& plan, Edges edges) {
  const std::vector<std::vector<TaskId>> necessary =
      edges == Edges::necessary ? necessary_needs(plan) : std::vector<std::vector<TaskId>>();
  const std::set<TaskId> critical = longest_path(plan);
  std::string text = fmt::format(
      "digraph \"{}\" {{\n"
      "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];\n"
      "  edge [arrowsize=0.7];\n",
      dot_text(plan.spec().name));
  for (TaskId id : plan.order()) {
    std::string label = fmt::format("{}\\n{}", dot_text(plan.task(id).path()), dot_text(what_runs(plan, id)));
    if (const std::string notes = notes_of(plan, id); !notes.empty()) label += fmt::format("\\n{}", dot_text(notes));
    text += fmt::format("  \"{}\" [label=\"{}\"{}{}];\n", dot_text(plan.task(id).path()), label,
                        plan.component(id).is_importer() ? ", shape=cylinder, style=solid" : "",
                        critical.count(id) > 0 ? ", penwidth=2" : "");
  }
  for (TaskId id : plan.order()) {
    const std::span<const TaskId> needs =
        edges == Edges::necessary ? std::span<const TaskId>(necessary[plan::index(id)]) : plan.needs(id);
    for (TaskId need : needs) {
      const bool on_path = critical.count(id) > 0 && critical.count(need) > 0 && plan.rank(need) == plan.rank(id) + 1;
      text += fmt::format("  \"{}\" -> \"{}\"{};\n", dot_text(plan.task(need).path()), dot_text(plan.task(id).path()),
                          on_path ? " [penwidth=2]" : "");
    }
  }
  return text + "}\n";
}

}  // namespace mlpipe::app
