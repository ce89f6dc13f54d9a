#include "app/graph.hpp"

#include "app/graph_render.hpp"
#include "app/pipeline_file.hpp"
#include "app/print.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/subprocess.hpp"

namespace mlpipe::app {
namespace {

constexpr std::chrono::minutes k_patience{2};

// Graphviz takes time by the square and worse: seconds up to here, minutes from 5,000 tasks on.
constexpr std::size_t k_most_drawn = 4000;  // tasks and edges
constexpr std::size_t k_many_edges = 500;   // more are no help to the eye

// A drawing shows no values: parameters that must be given are given something.
Value::Struct arguments_for_drawing(const spec::PipelineSpec& spec) {
  Value::Struct arguments;
  for (const spec::ParameterSpec& parameter : spec.root_component().interface.input_parameters) {
    if (parameter.default_value || parameter.optional) continue;
    switch (parameter.type) {
      case spec::ParameterType::string: arguments.emplace(parameter.name, ""); break;
      case spec::ParameterType::integer: arguments.emplace(parameter.name, 0); break;
      case spec::ParameterType::floating: arguments.emplace(parameter.name, 0.0); break;
      case spec::ParameterType::boolean: arguments.emplace(parameter.name, false); break;
      case spec::ParameterType::list: arguments.emplace(parameter.name, Value::List{}); break;
      case spec::ParameterType::structure: arguments.emplace(parameter.name, Value::Struct{}); break;
    }
  }
  return arguments;
}

Result<std::string> drawing(const plan::Plan& plan, const std::string& format) {
  if (format == "mermaid") return graph_mermaid(plan);
  if (format == "dot") return graph_dot(plan);
  if (format == "svg") {
    Result<std::string> dot = dot_for_drawing(plan);
    return dot ? svg_of(*dot) : dot;
  }
  if (format == "text") return graph_text(plan, report::glyphs_of_locale());
  return fail_with_hint(ErrorCode::invalid_input, fmt::format("graph: there is no format \"{}\"", printable(format)),
                        "text, mermaid, dot or svg");
}

}  // namespace

Result<std::string> dot_for_drawing(const plan::Plan& plan) {
  std::size_t edges = 0;
  for (plan::TaskId id : plan.order()) edges += plan.needs(id).size();
  const std::size_t all_edges = edges;
  if (edges > k_many_edges && plan.size() <= k_most_drawn) {
    edges = 0;
    for (const std::vector<plan::TaskId>& needs : necessary_needs(plan)) edges += needs.size();
  }
  if (plan.size() + edges > k_most_drawn) {
    return fail_with_hint(
        ErrorCode::invalid_input,
        fmt::format("graph: {} tasks and {} edges are too many for Graphviz to lay out: {} together can be",
                    plan.size(), edges, k_most_drawn),
        "use --format text, or --format dot and another layout: sfdp -Tsvg");
  }
  return graph_dot(plan, all_edges > k_many_edges ? Edges::necessary : Edges::all);
}

Result<std::string> svg_of(const std::string& dot, const std::string& program) {
  constexpr std::string_view k_hint =
      "install it (Debian, Ubuntu: apt-get install graphviz), or use --format mermaid or --format text";
  Result<sys::CommandResult> drawn =
      sys::run_command({program, "-Tsvg"}, {.input = dot, .deadline = k_patience, .env = {}, .working_directory = {}});
  if (!drawn && (drawn.error().code == ErrorCode::not_found || drawn.error().code == ErrorCode::permission)) {
    return fail_with_hint(ErrorCode::unavailable,
                          "graph: SVG is drawn by Graphviz, which cannot be run: " + drawn.error().message,
                          std::string(k_hint));
  }
  if (!drawn) return within("drawing the graph with Graphviz", std::move(drawn).error());
  if (!drawn->ok()) {
    return fail(ErrorCode::unavailable, "graph: Graphviz ({}) ended with exit code {}: {}", program, drawn->exit_code,
                printable(trim(drawn->err)));
  }
  if (drawn->truncated) {
    return fail_with_hint(ErrorCode::unavailable, "graph: the drawing is larger than 16 MiB",
                          "use --format dot and call Graphviz yourself");
  }
  return std::move(drawn->out);
}

ExitCode graph(const GraphCommand& command) {
  auto loaded = load_pipeline(command.pipeline, command.component_path);
  if (const ExitCode* code = std::get_if<ExitCode>(&loaded)) return *code;
  const spec::PipelineSpec& spec = std::get<spec::PipelineSpec>(loaded);
  Result<plan::Plan> plan = plan::make_plan(spec, arguments_for_drawing(spec));
  if (!plan) return report_error(plan.error());
  Result<std::string> text = drawing(*plan, command.format);
  if (!text) return report_error(text.error());
  if (command.output.empty()) {
    print(*text);
    return ExitCode::succeeded;
  }
  if (Result<> written = sys::write_file_atomically(command.output, *text, sys::Durable::no); !written) {
    return report_error(written.error(), ExitCode::environment);
  }
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
