#include "app/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "app/graph_render.hpp"
#include "mlpipe/spec/reader.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::app {
namespace {

using mlpipe::test::TempDir;
using ::testing::HasSubstr;
using ::testing::Not;

// A spec and the plan that borrows it.
struct Drawn {
  explicit Drawn(const std::string& yaml) {
    spec::ReadPipeline read = spec::read_pipeline_text(yaml, "pipeline.yaml", folder.path(), {});
    EXPECT_TRUE(read.spec) << spec::render(read.diagnostics, read.sources);
    spec = std::make_unique<spec::PipelineSpec>(std::move(*read.spec));
    Result<plan::Plan> made = plan::make_plan(*spec, {});
    EXPECT_TRUE(made) << made.error().message;
    plan = std::move(*made);
  }
  TempDir folder;
  std::unique_ptr<spec::PipelineSpec> spec;
  plan::Plan plan;
};

constexpr const char* k_diamond = R"yaml(
name: diamond
tasks:
  raw:
    import: {uri: data/table.csv, type: Dataset}
  split:
    image: python:3.11-slim
    inputs: {table: Dataset}
    outputs: {part: Dataset}
    arguments: {table: "${{ tasks.raw.outputs.artifact }}"}
    command: [split]
  train_forest:
    image: python:3.11-slim
    inputs: {part: Dataset}
    outputs: {model: Model}
    arguments: {part: "${{ tasks.split.outputs.part }}"}
    command: [train]
  look:
    image: alpine:3
    inputs: {part: Dataset}
    outputs: {rows: Integer}
    arguments: {part: "${{ tasks.split.outputs.part }}"}
    command: [wc]
  deploy:
    image: registry.example.org/deploy@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    inputs: {model: Model}
    arguments: {model: "${{ tasks.train_forest.outputs.model }}"}
    command: [deploy]
    when: ${{ tasks.look.outputs.rows > 10 && parameters.go != 'a"b' }}
parameters: {go: "yes"}
)yaml";

TEST(Graph, TextShowsLayersNeedsAndTheLongestPath) {
  Drawn drawn(k_diamond);
  EXPECT_EQ(graph_text(drawn.plan, report::Glyphs::unicode),
            "diamond: 5 tasks in 4 layers; ● marks the longest path\n"
            "\n"
            "1 ─ ● raw           import table.csv\n"
            "2 ─ ● split         python:3.11-slim                                 ← raw\n"
            "3 ┬ ● train_forest  python:3.11-slim                                 ← split\n"
            "  └ ○ look          alpine:3                                         ← split\n"
            "4 ─ ● deploy        registry.example.org/deploy@sha256:0123456789ab  ← train_forest, look  "
            "(when tasks.look.outputs.rows > 10 && parameters.go != 'a\"b')\n");
}

TEST(Graph, TextHasAnAsciiForm) {
  Drawn drawn(k_diamond);
  const std::string text = graph_text(drawn.plan, report::Glyphs::ascii);
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
      << text;
  EXPECT_THAT(text, HasSubstr("3 + * train_forest"));
  EXPECT_THAT(text, HasSubstr("\n  ` o look"));
}

TEST(Graph, MermaidEscapesWhatItsParserWouldTakeForMarkup) {
  Drawn drawn(k_diamond);
  EXPECT_EQ(graph_mermaid(drawn.plan),
            "---\n"
            "title: \"diamond\"\n"
            "---\n"
            "flowchart TD\n"
            "  t0[(\"<b>raw</b><br/>import table.csv\")]\n"
            "  t1[\"<b>split</b><br/>python:3.11-slim\"]\n"
            "  t2[\"<b>train_forest</b><br/>python:3.11-slim\"]\n"
            "  t3[\"<b>look</b><br/>alpine:3\"]\n"
            "  t4[\"<b>deploy</b><br/>registry.example.org/deploy@sha256:0123456789ab<br/>"
            "<i>when tasks.look.outputs.rows #gt; 10 #amp;#amp; parameters.go != 'a#quot;b'</i>\"]\n"
            "  t0 --> t1\n"
            "  t1 --> t2\n"
            "  t1 --> t3\n"
            "  t2 --> t4\n"
            "  t3 --> t4\n"
            "  classDef critical stroke-width:3px\n"
            "  class t0,t1,t2,t4 critical\n");
}

TEST(Graph, DotQuotesNamesAndLabels) {
  Drawn drawn(k_diamond);
  const std::string dot = graph_dot(drawn.plan);
  EXPECT_THAT(dot, HasSubstr("digraph \"diamond\" {\n"));
  EXPECT_THAT(dot,
              HasSubstr("  \"raw\" [label=\"raw\\nimport table.csv\", shape=cylinder, style=solid, penwidth=2];\n"));
  EXPECT_THAT(dot, HasSubstr("  \"look\" [label=\"look\\nalpine:3\"];\n"));
  EXPECT_THAT(dot, HasSubstr("parameters.go != 'a\\\"b'\", penwidth=2];"));
  EXPECT_THAT(dot, HasSubstr("  \"split\" -> \"train_forest\" [penwidth=2];\n"));
  EXPECT_THAT(dot, HasSubstr("  \"split\" -> \"look\";\n"));
  EXPECT_EQ(dot.substr(dot.size() - 2), "}\n");
}

// A pipeline of `size` tasks, each after all before it.
std::string every_task_after_all_before(int size) {
  std::string yaml = "name: dense\ntasks:\n";
  std::string names;
  for (int i = 0; i < size; ++i) {
    yaml += fmt::format("  t{}: {{image: x, command: [a], after: [{}]}}\n", i, names);
    names += (names.empty() ? "t" : ", t") + std::to_string(i);
  }
  return yaml;
}

TEST(Graph, NecessaryEdgesAreThoseThatFollowFromNoOthers) {
  Drawn drawn(every_task_after_all_before(4));
  const std::string dot = graph_dot(drawn.plan, Edges::necessary);
  EXPECT_THAT(dot, HasSubstr("\"t0\" -> \"t1\""));
  EXPECT_THAT(dot, HasSubstr("\"t1\" -> \"t2\""));
  EXPECT_THAT(dot, HasSubstr("\"t2\" -> \"t3\""));
  EXPECT_THAT(dot, Not(HasSubstr("\"t0\" -> \"t2\"")));
  EXPECT_THAT(dot, Not(HasSubstr("\"t0\" -> \"t3\"")));
  EXPECT_THAT(dot, Not(HasSubstr("\"t1\" -> \"t3\"")));
  EXPECT_THAT(graph_dot(drawn.plan), HasSubstr("\"t0\" -> \"t3\""));

  Drawn diamond(k_diamond);  // has none that follow from others
  EXPECT_EQ(graph_dot(diamond.plan, Edges::necessary), graph_dot(diamond.plan));
}

TEST(Graph, ADrawingOfAFewEdgesHasThemAllAndOneOfManyTheNecessaryOnes) {
  Drawn few(every_task_after_all_before(10));
  EXPECT_EQ(dot_for_drawing(few.plan).value(), graph_dot(few.plan));
  Drawn many(every_task_after_all_before(100));
  EXPECT_EQ(dot_for_drawing(many.plan).value(), graph_dot(many.plan, Edges::necessary));
}

TEST(Graph, ADrawingThatGraphvizWouldNotGetDoneIsRefused) {
  std::string yaml = "name: wide\ntasks:\n";
  for (int i = 0; i < 4001; ++i) yaml += fmt::format("  t{}: {{image: x, command: [a]}}\n", i);
  Drawn wide(yaml);
  const Result<std::string> dot = dot_for_drawing(wide.plan);
  ASSERT_FALSE(dot);
  EXPECT_EQ(exit_code_of(dot.error().code), ExitCode::usage);
  EXPECT_THAT(dot.error().message, HasSubstr("4001 tasks and 0 edges are too many"));
  EXPECT_THAT(dot.error().hint, HasSubstr("--format text"));
}

// A stand-in for Graphviz, so that the test needs none.
std::string program_in(const TempDir& folder, const std::string& script) {
  const auto file = folder.write("dot", "#!/bin/sh\n" + script);
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file.string();
}

TEST(Graph, SvgIsWhatGraphvizMakesOfTheDot) {
  TempDir folder;
  Result<std::string> svg = svg_of("digraph {}", program_in(folder, "echo \"<svg $1>\"; cat; echo '</svg>'\n"));
  ASSERT_TRUE(svg) << svg.error().message;
  EXPECT_EQ(*svg, "<svg -Tsvg>\ndigraph {}</svg>\n");
}

TEST(Graph, SvgWithoutGraphvizSaysWhatToDo) {
  TempDir folder;
  const Result<std::string> svg = svg_of("digraph {}", (folder.path() / "absent").string());
  ASSERT_FALSE(svg);
  EXPECT_EQ(exit_code_of(svg.error().code), ExitCode::environment);
  EXPECT_THAT(svg.error().message, HasSubstr("SVG is drawn by Graphviz, which cannot be run: "));
  EXPECT_THAT(svg.error().hint, HasSubstr("apt-get install graphviz"));
}

TEST(Graph, SvgRepeatsWhatGraphvizComplainsAbout) {
  TempDir folder;
  const Result<std::string> svg = svg_of("x", program_in(folder, "echo 'syntax error in line 1' >&2; exit 1\n"));
  ASSERT_FALSE(svg);
  EXPECT_THAT(svg.error().message, HasSubstr("exit code 1: syntax error in line 1"));
}

}  // namespace
}  // namespace mlpipe::app
