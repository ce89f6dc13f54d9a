#include "mlpipe/spec/reader.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.hpp"

namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

ReadPipeline read(const std::string& text, const fs::path& directory = "/nowhere", ReadOptions options = {}) {
  return read_pipeline_text(text, "p.yaml", directory, options);
}

std::string problems(const ReadPipeline& read) { return render(read.diagnostics, read.sources); }

PipelineSpec spec_of(const std::string& text, const fs::path& directory = "/nowhere") {
  ReadPipeline result = read(text, directory);
  EXPECT_TRUE(result.spec) << problems(result);
  return result.spec ? *std::move(result.spec) : PipelineSpec{};
}

const TaskSpec& task(const PipelineSpec& spec, std::string_view name) {
  for (const TaskSpec& task : spec.root_dag().tasks) {
    if (task.name == name) return task;
  }
  throw std::runtime_error("no task " + std::string(name));
}

const Argument& argument(const TaskSpec& task, std::string_view input) {
  for (const Argument& argument : task.arguments) {
    if (argument.input == input) return argument;
  }
  throw std::runtime_error("no argument " + std::string(input));
}

std::string written(const Template& text) {
  std::string out;
  for (const Template::Part& part : text.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      out += *literal;
    } else {
      out += "<" + std::get<Expression>(part).text() + ">";
    }
  }
  return out;
}

std::string written(const Word& word) {
  if (const auto* text = std::get_if<Template>(&word.form)) return written(*text);
  std::string out;
  if (const auto* concat = std::get_if<Word::Concat>(&word.form)) {
    for (const Word& item : concat->items) out += written(item) + "+";
    return out;
  }
  const auto& choice = std::get<Word::IfPresent>(word.form);
  out = choice.input + "?";
  for (const Word& item : choice.then_words) out += written(item) + ",";
  out += ":";
  for (const Word& item : choice.else_words) out += written(item) + ",";
  return out;
}

std::vector<std::string> written(const std::vector<Word>& words) {
  std::vector<std::string> out;
  for (const Word& word : words) out.push_back(written(word));
  return out;
}

using Words = std::vector<std::string>;

TEST(Reader, ReadsNamesTextsAndLabels) {
  PipelineSpec spec =
      spec_of("name: p\ndescription: D\nroot: /b/r\nlabels: {a: 1}\npools: {db: 2}\ntasks: {a: {image: x}}\n");
  EXPECT_EQ(spec.name, "p");
  EXPECT_EQ(spec.description, "D");
  EXPECT_EQ(spec.pipeline_root, "/b/r");
  EXPECT_EQ(spec.labels.at(0).second, "1");
  EXPECT_EQ(spec.pools.at(0).places, 2);
  EXPECT_EQ(spec.sources.at(0).name, "p.yaml");
}

TEST(Reader, TypesOfParametersFollowFromDefaults) {
  PipelineSpec spec = spec_of(
      "name: p\nparameters: {i: 1, f: 0.5, b: true, s: x, q: \"1\", l: [1], o: {type: Struct, default: {}}, w: {type: "
      "Float, "
      "default: 2}, v: {default: 1.10, type: String}, m: {type: String, optional: true}}\ntasks: {a: {image: x}}\n");
  const Interface& interface = spec.root_component().interface;
  EXPECT_EQ(interface.input_parameter("i")->type, ParameterType::integer);
  EXPECT_EQ(interface.input_parameter("f")->type, ParameterType::floating);
  EXPECT_EQ(interface.input_parameter("b")->type, ParameterType::boolean);
  EXPECT_EQ(interface.input_parameter("s")->type, ParameterType::string);
  EXPECT_EQ(interface.input_parameter("q")->type, ParameterType::string);
  EXPECT_EQ(interface.input_parameter("l")->type, ParameterType::list);
  EXPECT_EQ(interface.input_parameter("o")->type, ParameterType::structure);
  EXPECT_TRUE(interface.input_parameter("w")->default_value->is_double());
  EXPECT_EQ(interface.input_parameter("v")->default_value->as_string(), "1.10");  // as written
  EXPECT_FALSE(interface.input_parameter("m")->default_value);
  EXPECT_TRUE(interface.input_parameter("m")->optional);
}

TEST(Reader, ArgumentsBecomeBindings) {
  PipelineSpec spec = spec_of(R"(name: p
parameters: {n: 3, word: x}
tasks:
  a: {image: x, outputs: {m: Model, k: Integer}, script: x}
  b:
    image: x
    inputs: {m: Model, n: Integer, k: Float, t: String, c: Float, l: List, e: Integer, d: String}
    arguments:
      m: ${{ tasks.a.outputs.m }}
      n: ${{parameters.n}}
      k: ${{ tasks.a.outputs.k }}
      t: ${{ parameters.word }}-${{ run.id }}
      c: 2
      l: [1, a, 0.5, null, {x: true}]
      e: ${{ parameters.n * 2 }}
      d: $${{ as it is }}
)");
  const TaskSpec& b = task(spec, "b");
  EXPECT_EQ(std::get<TaskOutput>(argument(b, "m").binding).task, "a");
  EXPECT_EQ(std::get<PipelineInput>(argument(b, "n").binding).name, "n");
  EXPECT_EQ(std::get<TaskOutput>(argument(b, "k").binding).output, "k");
  EXPECT_EQ(written(std::get<Template>(argument(b, "t").binding)), "<parameters.word>-<run.id>");
  EXPECT_TRUE(std::get<Value>(argument(b, "c").binding).is_double());
  EXPECT_EQ(to_json(std::get<Value>(argument(b, "l").binding)), R"([1,"a",0.5,null,{"x":true}])");
  EXPECT_EQ(written(std::get<Template>(argument(b, "e").binding)), "<parameters.n * 2>");
  EXPECT_EQ(std::get<Value>(argument(b, "d").binding).as_string(), "${{ as it is }}");
}

TEST(Reader, WhatAScriptNamesOfThePipelineBecomesAnInput) {
  PipelineSpec spec = spec_of(R"(name: p
parameters: {rate: 0.5, n-x: 1}
tasks:
  make: {image: x, outputs: {table: Dataset, rows: Integer}, script: x}
  use:
    image: x
    inputs: {rate: {type: String, default: own}, table: Dataset}
    arguments: {table: "${{ tasks.make.outputs.table }}"}
    env: {N: "${{ parameters.n-x }}"}
    args: ["${{ parameters.rate }}", "${{ tasks.make.outputs.rows + 1 }}", "${{ tasks.make.outputs.table.path }}",
           "${{ tasks.make.outputs.rows.path }}", "${{ inputs.rate }}"]
)");
  const TaskSpec& use = task(spec, "use");
  const ComponentSpec& component = spec.component(use.component);
  EXPECT_EQ(written(component.container()->args),
            (Words{"<inputs.rate_2>", "<inputs.make_rows + 1>", "<inputs.table.path>", "<inputs.make_rows.path>",
                   "<inputs.rate>"}));
  EXPECT_EQ(component.interface.input_parameter("rate_2")->type, ParameterType::floating);
  EXPECT_EQ(std::get<PipelineInput>(argument(use, "rate_2").binding).name, "rate");
  EXPECT_EQ(std::get<TaskOutput>(argument(use, "make_rows").binding).output, "rows");
  EXPECT_EQ(component.interface.input_artifacts.size(), 1U) << "the table is an input already";
  EXPECT_EQ(written(use.settings->env.at(0).value), "<inputs.n_x>");
  EXPECT_EQ(std::get<PipelineInput>(argument(use, "n_x").binding).name, "n-x");
}

TEST(Reader, SettingsMergeWithDefaultsAndAreSharedWhenUnsaid) {
  PipelineSpec spec = spec_of(R"(name: p
defaults: {image: x, retry: {limit: 1, backoff: 5s}, env: {A: a, B: b}, timeout: 1h, resources: {cpu: 1}}
pools: {db: 1}
tasks:
  plain: {}
  also: {}
  own:
    retry: {limit: 3}
    env: {B: c, C: 5}
    resources: {memory: 1Gi, cpu: 250m}
    cache: false
    network: none
    user: image
    pull: never
    pool: db
    secrets: {KEY: {env: OTHER}, token.json: {file: t, as: file}}
)");
  const TaskSpec& own = task(spec, "own");
  EXPECT_EQ(task(spec, "plain").settings, task(spec, "also").settings);
  EXPECT_EQ(own.settings->retry, (RetryPolicy{.limit = 3, .backoff = std::chrono::seconds(5)}));
  EXPECT_EQ(own.settings->timeout, std::chrono::hours(1));
  EXPECT_EQ(own.settings->resources, (Resources{.cpu = 0.25, .memory = 1U << 30U}));
  ASSERT_EQ(own.settings->env.size(), 3U);
  EXPECT_EQ(written(own.settings->env[1].value), "c");
  EXPECT_EQ(written(own.settings->env[2].value), "5");
  EXPECT_FALSE(own.settings->cache.enabled);
  EXPECT_EQ(own.settings->network, NetworkMode::none);
  EXPECT_EQ(own.settings->user, UserMode::image);
  EXPECT_EQ(own.settings->pull, PullPolicy::never);
  EXPECT_EQ(own.settings->pools, Words{"db"});
  ASSERT_EQ(own.settings->secrets.size(), 2U);
  EXPECT_EQ(own.settings->secrets[0].from_env, "OTHER");
  EXPECT_EQ(own.settings->secrets[1].from_file, "/nowhere/t");
  EXPECT_TRUE(own.settings->secrets[1].as_file);
}

TEST(Reader, OneComponentFileIsReadOnceAndShared) {
  test::TempDir folder;
  folder.write("c/component.yaml",
               "inputs:\n- {name: Learning rate, type: Float, default: '0.1'}\n- {name: e, type: String, default: x}\n"
               "outputs: [{name: Out put, type: Model, path: m.pkl}]\n"
               "implementation: {container: {image: x, args: [{inputValue: Learning rate}, {outputPath: Out put}]}}\n");
  PipelineSpec spec = spec_of(R"(name: p
parameters: {r: 1}
tasks:
  a: {component: c, arguments: {Learning rate: 0.2}}
  b: {component: ./c/, arguments: {learning_rate: 0.3}}
  d: {component: c/component.yaml, env: {R: "${{ parameters.r }}"}}
  e: {component: c, env: {R: "${{ inputs.learning_rate }}"}}
  f: {image: x, args: ["${{ tasks['a'].outputs['Out put'].path }}"]}
outputs: {m: "${{ tasks.b.outputs['Out put'] }}"}
)",
                              folder.path());
  EXPECT_EQ(task(spec, "a").component, task(spec, "b").component);
  EXPECT_EQ(task(spec, "a").component, task(spec, "e").component);
  EXPECT_NE(task(spec, "a").component, task(spec, "d").component) << "its env makes an input of a parameter";
  EXPECT_EQ(spec.sources.size(), 2U);
  const ComponentSpec& component = spec.component(task(spec, "a").component);
  EXPECT_EQ(component.name, "c") << "the folder's name, when it has none";
  EXPECT_EQ(written(component.container()->args), (Words{"<inputs.learning_rate>", "<outputs.out_put.path>"}));
  EXPECT_EQ(component.interface.output_artifact("out_put")->file_name, "m.pkl");
  EXPECT_EQ(component.interface.input_parameter("learning_rate")->default_value->as_double(), 0.1);
  EXPECT_EQ(argument(task(spec, "a"), "learning_rate").input, "learning_rate");
  EXPECT_EQ(std::get<TaskOutput>(argument(task(spec, "f"), "a_out_put").binding).output, "out_put");
  EXPECT_EQ(spec.root_dag().outputs.at(0).source.output, "out_put");
}

TEST(Reader, BareNamesAreFoundInTheComponentPathInOrder) {
  test::TempDir folder;
  std::string text = "implementation: {container: {image: x}}\n";
  folder.write("one/c/component.yaml", "name: first\n" + text);
  folder.write("two/c/component.yaml", "name: second\n" + text);
  folder.write("two/d.yaml", "name: file\n" + text);
  ReadOptions options{{folder.path() / "one", folder.path() / "two"}};
  ReadPipeline result =
      read("name: p\ntasks: {a: {component: c}, b: {component: d.yaml}}\n", folder.path() / "none", options);
  ASSERT_TRUE(result.spec) << problems(result);
  EXPECT_EQ(result.spec->component(task(*result.spec, "a").component).name, "first");
  EXPECT_EQ(result.spec->component(task(*result.spec, "b").component).name, "file");
  EXPECT_FALSE(read("name: p\ntasks: {a: {component: x/c}}\n", folder.path(), options).spec) << "not a bare name";
}

TEST(Reader, BuildFoldersAreTakenFromTheComponentFile) {
  test::TempDir folder;
  folder.write("c/Dockerfile", "FROM x\n");
  folder.write("c/component.yaml", "implementation: {container: {build: .}}\n");
  PipelineSpec spec = spec_of("name: p\ntasks: {a: {component: c}}\n", folder.path());
  EXPECT_EQ(spec.component(task(spec, "a").component).container()->build_context, folder.path() / "c");
  folder.write("d/component.yaml", "implementation: {container: {build: ../e}}\n");
  ReadPipeline result = read("name: p\ntasks: {a: {component: d}}\n", folder.path());
  EXPECT_NE(problems(result).find("there is no folder"), std::string::npos);
}

TEST(Reader, PathsOfImportsAreTakenFromTheFile) {
  PipelineSpec spec = spec_of(R"(name: p
parameters: {f: x}
tasks:
  a: {import: {uri: data/../t.csv, type: dataset, metadata: {rows: 3}}}
  b: {import: {uri: /abs/t.csv}}
  c: {import: {uri: /abs/../x}}
  d: {import: {uri: "sub/${{ parameters.f }}.csv"}}
  e: {import: {uri: "${{ parameters.f }}"}}
  f: {import: {uri: file:///abs/x}}
)",
                              "/base");
  auto uri = [&](std::string_view name) { return written(spec.component(task(spec, name).component).importer()->uri); };
  EXPECT_EQ(uri("a"), "/base/t.csv");
  EXPECT_EQ(uri("b"), "/abs/t.csv");
  EXPECT_EQ(uri("c"), "/x");
  EXPECT_EQ(uri("d"), "/base/sub/<inputs.f>.csv");
  EXPECT_EQ(uri("e"), "<inputs.f>");
  EXPECT_EQ(uri("f"), "/abs/x");
  const ComponentSpec& a = spec.component(task(spec, "a").component);
  EXPECT_EQ(a.interface.output_artifact("artifact")->type, "system.Dataset");
  EXPECT_EQ(to_json(a.importer()->metadata), R"({"rows":3})");
  EXPECT_EQ(std::get<PipelineInput>(argument(task(spec, "d"), "f").binding).name, "f");
}

TEST(Reader, ConditionsOrderAndTriggersAreKept) {
  PipelineSpec spec = spec_of(R"(name: p
tasks:
  a: {image: x, outputs: {n: Integer}, script: x}
  b: {image: x, when: "${{ tasks.a.outputs.n > 3 }}", after: a}
  c: {image: x, when: tasks.a.outputs.n > 3 && run.id != '', after: [b, a, b], run_after_failure: true}
)");
  EXPECT_EQ(task(spec, "b").when->text(), "tasks.a.outputs.n > 3");
  EXPECT_EQ(task(spec, "b").after, Words{"a"});
  EXPECT_EQ(task(spec, "c").after, (Words{"b", "a"}));
  EXPECT_EQ(task(spec, "c").trigger, TriggerStrategy::all_completed);
}

TEST(Reader, UnusedParametersAndUnreadInputsAreWarnings) {
  ReadPipeline result = read(R"(name: p
parameters: {unused: 1, used: 2}
tasks:
  a:
    image: x
    inputs: {one: {type: String, default: x}, two: {type: String, default: x}, three: {type: Integer, default: 1}}
    script: echo $MLPIPE_INPUT_ONE ${{ inputs.two }} ${{ parameters.used }}
  b: {image: x, inputs: {any: {type: String, default: x}}, command: [python3, reads_its_environment.py]}
)");
  EXPECT_TRUE(result.spec) << problems(result);
  ASSERT_EQ(result.diagnostics.size(), 2U) << problems(result);
  EXPECT_NE(problems(result).find("p.yaml:2:14: warning: nothing uses parameter `unused`"), std::string::npos);
  EXPECT_NE(problems(result).find("warning: the script does not read input `three`"), std::string::npos);
}

TEST(Reader, AScriptOfPythonWithoutItsFirstLineIsAWarning) {
  ReadPipeline result = read(R"(name: p
tasks:
  a: {image: x, script: "\n# about it\nimport os\nprint(1) "}
  b: {image: x, script: "from os import path"}
  c: {image: x, script: "#!/usr/bin/env python3\nimport os"}
  d: {image: x, script: "echo import os\nimport os"}
  e: {image: x, script: "from=1; echo $from"}
)");
  EXPECT_TRUE(result.spec) << problems(result);
  ASSERT_EQ(result.diagnostics.size(), 2U) << problems(result);
  EXPECT_NE(problems(result).find("p.yaml:3:3: warning: the script looks like Python, but is run by sh"),
            std::string::npos);
  EXPECT_NE(problems(result).find("p.yaml:4:3: warning"), std::string::npos);
}

TEST(Reader, InputsThatOnlyTheEnvironmentUsesAreRead) {
  ReadPipeline result = read(R"(name: p
tasks:
  a:
    image: x
    inputs: {one: {type: String, default: x}}
    env: {ONE: "${{ inputs.one }}"}
    script: echo $ONE
)");
  EXPECT_EQ(problems(result), "");
}

TEST(Reader, AMistakeThatManyAliasesHaveHidesNoOther) {
  std::string text = "name: p\ntasks:\n  b: &b {image: x, command: [a], wrong: 1, inputs: {q: Foo}}\n";
  for (int i = 0; i < 1100; ++i) text += fmt::format("  t{}: *b\n", i);
  text += "  z: {image: x, command: [a], bad: 1, after: nope}\n";
  ReadPipeline result = read(text);
  ASSERT_EQ(result.diagnostics.size(), 4U) << problems(result);
  EXPECT_EQ(result.diagnostics[0].message, "unknown key `wrong` in task `b`");
  EXPECT_EQ(result.diagnostics[1].message, "`Foo` is no type");
  EXPECT_EQ(result.diagnostics[2].message, "unknown key `bad` in task `z`");
  EXPECT_EQ(result.diagnostics[3].message, "there is no task `nope`");
}

TEST(Reader, ThatThereAreMoreMistakesThanAreToldComesLast) {
  std::string text = "name: p\ntasks:\n  a: {image: x, script: x, bad: 1}\nlabels:\n";
  for (int i = 0; i < 1100; ++i) text += fmt::format("  l{}: [x]\n", i);
  ReadPipeline result = read(text);
  ASSERT_EQ(result.diagnostics.size(), 1001U);
  EXPECT_EQ(result.diagnostics.back().message, "more than 1000 mistakes; the rest is not shown");
  EXPECT_TRUE(problems(result).ends_with("\nerror: more than 1000 mistakes; the rest is not shown\n"));
}

TEST(Reader, PlacesInsideScriptsAreThoseOfTheFile) {
  ReadPipeline result =
      read("name: p\ntasks:\n  a:\n    image: x\n    script: |\n      one\n        two ${{ inputs.x }}\n");
  EXPECT_NE(problems(result).find("p.yaml:7:17: error: there is no input `x`"), std::string::npos) << problems(result);
}

TEST(Reader, EveryDiagnosticListIsBounded) {
  std::string text = "name: p\ntasks:\n";
  for (int i = 0; i < 3000; ++i)
    text += "  t" + std::to_string(i) + ": {image: x, after: [missing" + std::to_string(i) + "], zzz: 1}\n";
  ReadPipeline result = read(text);
  EXPECT_FALSE(result.spec);
  EXPECT_EQ(result.diagnostics.size(), 1001U);
  EXPECT_EQ(result.diagnostics.back().message, "more than 1000 mistakes; the rest is not shown");
}

TEST(Reader, LongChainsAndLongCyclesNeedNoDeepStack) {
  std::string chain = "name: p\ntasks:\n  t0: {image: x}\n";
  for (int i = 1; i < 20'000; ++i)
    chain += "  t" + std::to_string(i) + ": {image: x, after: [t" + std::to_string(i - 1) + "]}\n";
  EXPECT_TRUE(read(chain).spec);
  chain.replace(chain.find("t0: {image: x}"), 14, "t0: {image: x, after: [t19999]}");
  ReadPipeline result = read(chain);
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_NE(result.diagnostics[0].message.find("t0 -> t1 -> t2"), std::string::npos);
  EXPECT_NE(result.diagnostics[0].message.find("(19980 more) -> t0"), std::string::npos)
      << result.diagnostics[0].message;
}

TEST(Reader, FilesThatCannotBeReadAreErrors) {
  test::TempDir folder;
  Result<ReadPipeline> absent = read_pipeline(folder.path() / "absent.yaml", {});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::not_found);
  EXPECT_NE(absent.error().message.find("absent.yaml"), std::string::npos);
  Result<ReadPipeline> directory = read_pipeline(folder.path(), {});
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::invalid_input);
  fs::path large = folder.write("large.yaml", "");
  fs::resize_file(large, 65U << 20U);  // sparse
  EXPECT_FALSE(read_pipeline(large, {}));
}

TEST(Reader, RelativeFilesAreTakenFromTheirOwnFolder) {
  test::TempDir folder;
  folder.write("sub/c/component.yaml", "name: found\nimplementation: {container: {image: x}}\n");
  folder.write("sub/p.yaml", "name: p\ntasks: {a: {component: c}}\n");
  fs::path before = fs::current_path();
  fs::current_path(folder.path());
  Result<ReadPipeline> result = read_pipeline("sub/p.yaml", {});
  fs::current_path(folder.path() / "sub");
  Result<ReadPipeline> beside = read_pipeline("p.yaml", {});
  fs::current_path(before);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->spec) << problems(*result);
  EXPECT_EQ(result->sources.at(1).name, "sub/c/component.yaml");
  ASSERT_TRUE(beside);
  EXPECT_TRUE(beside->spec) << problems(*beside);
}

TEST(Reader, ComponentsByThemselvesTakeAllPlaceholders) {
  Result<ReadComponent> result = read_component(fs::path(MLPIPE_SPEC_FIXTURES) / "accepted/everything.component.yaml");
  ASSERT_TRUE(result);
  ASSERT_TRUE(result->component) << render(result->diagnostics, result->sources);
  EXPECT_EQ(written(result->component->container()->args),
            (Words{"--lr", "<inputs.learning_rate>", "<inputs.Data.path>", "<inputs.Data.uri>", "<inputs.text.path>",
                   "<outputs.Model.path>", "<outputs.Model.uri>", "<outputs.acc.path>",
                   "--out=+<outputs.acc.path>+flag?-x,:+", "Data?--has,yes,<inputs.op-1>,:--has,no,",
                   "vertex?<inputs.vertex.path>,:", "<executor_input>", "42"}));
  const Interface& interface = result->component->interface;
  EXPECT_EQ(interface.input_parameter("flag")->default_value->as_bool(), true);
  EXPECT_EQ(to_json(*interface.input_parameter("list")->default_value), R"(["a",1])");
  EXPECT_EQ(to_json(*interface.input_parameter("object")->default_value), R"({"a":{"b":null}})");
  EXPECT_EQ(interface.input_artifact("anything")->type, "system.Artifact");
  EXPECT_EQ(interface.input_artifact("schema")->type, "system.Artifact");
  EXPECT_EQ(interface.input_artifact("custom")->type, "system.Artifact");
  EXPECT_EQ(interface.input_artifact("vertex")->type, "google.VertexModel");
  EXPECT_TRUE(interface.output_artifact("Model")->optional);
}

TEST(Reader, ExpressionsInAComponentFileAreTextWithAWarning) {
  test::TempDir folder;
  fs::path file =
      folder.write("component.yaml", "implementation: {container: {image: x, args: ['${{ inputs.x }}']}}\n");
  Result<ReadComponent> result = read_component(file);
  ASSERT_TRUE(result);
  ASSERT_TRUE(result->component);
  EXPECT_EQ(result->diagnostics.size(), 1U);
  EXPECT_EQ(written(result->component->container()->args), Words{"${{ inputs.x }}"});
}

TEST(Documents, EveryYamlBlockIsRead) {
  std::string text;
  for (const char* document : {"README.md", "docs/manual.md", "docs/format.md"}) {
    text += test::slurp(fs::path(MLPIPE_SOURCE) / document);
  }
  int blocks = 0;
  for (std::size_t at = 0; (at = text.find("```yaml\n", at)) != std::string::npos;) {
    at += 8;
    std::string block = text.substr(at, text.find("\n```", at) + 1 - at);
    ++blocks;
    if (block.find("\nimplementation:") != std::string::npos) {
      test::TempDir folder;
      folder.write("Dockerfile", "FROM python:3.11-slim\n");
      Result<ReadComponent> component = read_component(folder.write("component.yaml", block));
      ASSERT_TRUE(component);
      EXPECT_EQ(render(component->diagnostics, component->sources), "") << block;
    } else {
      EXPECT_EQ(problems(read(block, MLPIPE_SOURCE)), "") << block;
    }
  }
  EXPECT_GE(blocks, 12);
}

TEST(Examples, AreReadWithoutAWord) {
  int count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(MLPIPE_SOURCE) / "examples")) {
    if (!fs::exists(entry.path() / "pipeline.yaml")) continue;
    ++count;
    Result<ReadPipeline> result = read_pipeline(entry.path() / "pipeline.yaml", {});
    ASSERT_TRUE(result);
    EXPECT_EQ(problems(*result), "");
  }
  EXPECT_GE(count, 4);
}

}  // namespace
}  // namespace mlpipe::spec
