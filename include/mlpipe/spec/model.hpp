#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/diagnostic.hpp"
#include "mlpipe/spec/expression.hpp"

// The one model inside (docs/design.md, "The model"): it mirrors KFP's pipeline spec, plus per-task settings that KFP has no
// field for. Readers fill it, plan turns it into a DAG.
namespace mlpipe::spec {

// ---- Interfaces -------------------------------------------------------------------------------------------------

enum class ParameterType { string, integer, floating, boolean, list, structure };
std::string_view to_string(
    ParameterType type);  // KFP's words: "String", "Integer", "Float", "Boolean", "List", "Struct"

struct ParameterSpec {
  std::string name;
  ParameterType type = ParameterType::string;
  std::optional<Value> default_value;  // of `type` already
  bool optional = false;               // may be absent even without a default
  std::string description;
  Where where;
};

struct ArtifactSpec {
  std::string name;
  std::string type = "system.Artifact";  // schema title: "system.Dataset", "google.VertexModel", ...
  bool optional = false;
  std::string description;
  std::string file_name = "data";  // outputs only: the payload's name below <task>/<output>/
  Where where;
};

// Declarations with a mistake in them: that is told, and what names them is not called wrong as well. Empty in a spec
// that is accepted.
struct UnreadPorts {
  std::vector<std::string> names;  // KFP's keys of them, sorted
  bool all = false;                // the list of them is none
};

struct Interface {
  std::vector<ParameterSpec> input_parameters;
  std::vector<ArtifactSpec> input_artifacts;
  std::vector<ParameterSpec> output_parameters;
  std::vector<ArtifactSpec> output_artifacts;
  UnreadPorts unread_inputs, unread_outputs;

  const ParameterSpec* input_parameter(std::string_view name) const;
  const ArtifactSpec* input_artifact(std::string_view name) const;
  const ParameterSpec* output_parameter(std::string_view name) const;
  const ArtifactSpec* output_artifact(std::string_view name) const;
};

// `value` as a parameter of `type`: integers widen to Float, anything to String by parameter_text(); else the reason
// why it does not fit. Text for a List or Struct is not parsed (KFP.md 1.4).
Result<Value> coerce(const Value& value, ParameterType type);
// `text` from a command line, a component.yaml default or an output file as a value of `type` (KFP.md 3: Integer, Float
// and Boolean trimmed, List and Struct as JSON, String raw).
Result<Value> parse_parameter(std::string_view text, ParameterType type);

// ---- Settings ---------------------------------------------------------------------------------------------------

// How an attempt may have ended for it to be tried again.
enum class RetryCause { exit, signal, oom, timeout, missing_output };

// `retry: {on: [...]}`.
struct RetryOn {
  std::vector<RetryCause> causes;  // `exit` alone: whatever the exit code
  std::vector<int> exit_codes;     // these exit codes
  bool operator==(const RetryOn&) const = default;
};

struct RetryPolicy {
  int limit = 0;  // attempts beyond the first
  std::chrono::milliseconds backoff{0};
  double factor = 2;
  std::chrono::milliseconds max_backoff{3'600'000};
  std::optional<RetryOn> on = {};  // nothing said: any failure
  double memory_factor = 1;        // after an OOM kill the next attempt gets so many times the memory: `memory: x2`
  bool operator==(const RetryPolicy&) const = default;
};

// `cache:`. Whether the result of an earlier run may stand for the task's own.
struct CacheSettings {
  bool enabled = true;
  std::string version;                               // part of the fingerprint: a new word makes new results
  std::optional<std::chrono::milliseconds> max_age;  // results older than this do not count
  bool operator==(const CacheSettings&) const = default;
};

struct Resources {
  double cpu = 0;            // cores; 0: no limit asked, counts as nothing
  std::uint64_t memory = 0;  // bytes; 0: no limit
  std::uint64_t shm = 0;     // bytes of /dev/shm; 0: chosen by us
  int gpu = 0;               // devices
  bool operator==(const Resources&) const = default;
};

enum class NetworkMode { bridge, none, host };
enum class UserMode { caller, image };
enum class PullPolicy { missing, always, never };

// A secret: read when an attempt starts, given to the container as an environment variable or a file, recorded by name only.
struct SecretSpec {
  std::string name;      // the variable's name, or the file's name below /mlpipe/secrets/
  std::string from_env;  // where it is read from: one of these two
  std::string from_file;
  bool as_file = false;
  Where where;
};

struct EnvVariable {
  std::string name;
  Template value;
};

// Everything a task may be told beyond its arguments; `defaults:` fills what a task does not say.
struct TaskSettings {
  RetryPolicy retry;
  std::optional<std::chrono::milliseconds> timeout;
  Resources resources;
  std::vector<EnvVariable> env;
  std::vector<SecretSpec> secrets;
  std::vector<std::string> pools;  // names of PipelineSpec::pools the task takes one place of each
  NetworkMode network = NetworkMode::bridge;
  UserMode user = UserMode::caller;
  PullPolicy pull = PullPolicy::missing;
  CacheSettings cache;
  bool keep = true;  // false: its artifacts go when the last task that reads them has ended
};

// ---- Components -------------------------------------------------------------------------------------------------

struct ContainerSpec {
  Template image;                       // a literal in native files; KFP may name a parameter
  std::filesystem::path build_context;  // folder with a Dockerfile; empty: no build, pull `image`
  bool has_command = false;             // `command` replaces the image's ENTRYPOINT even when it is empty
  std::vector<Word> command;
  std::vector<Word> args;
  std::optional<Template> script;  // written to a file and run by its #! line; then command and args are empty
  std::vector<EnvVariable> env;
  Where image_where = {};  // of the image's name, or of the build folder's
};

struct ImporterSpec {
  Template uri;             // a path; one that begins with text is already resolved against the file
  std::string folder = {};  // absolute; what a relative path that an expression begins is taken from
  std::string type = "system.Artifact";
  Value metadata;
};

enum class ComponentId : std::uint32_t {};

// value of an input of the enclosing DAG component
struct PipelineInput {
  std::string name;
};
// output of a sibling task
struct TaskOutput {
  std::string task;
  std::string output;
};
// What an input is bound to. A Template may hold any pipeline-scope references; a lone reference is given as one of the above.
using Binding = std::variant<Value, PipelineInput, TaskOutput, Template>;

struct Argument {
  std::string input;
  Binding binding;
  Where where;
};

// When a task with finished upstream tasks starts. KFP's triggerPolicy.strategy.
enum class TriggerStrategy { all_succeeded, all_completed };

struct TaskSpec {
  std::string name;
  ComponentId component{};
  std::vector<Argument> arguments;
  std::vector<std::string> after;                // order without data; data edges come from the arguments
  std::shared_ptr<const TaskSettings> settings;  // never null; shared by all tasks that say nothing of their own
  std::optional<Expression> when;                // false: the task is skipped and so are its dependants
  TriggerStrategy trigger = TriggerStrategy::all_succeeded;
  Where where;
};

struct PipelineOutput {
  std::string name;
  TaskOutput source;
  Where where;
};

struct DagSpec {
  std::vector<TaskSpec> tasks;  // in file order
  std::vector<PipelineOutput> outputs;
};

struct ComponentSpec {
  std::string name;
  std::string description;
  Interface interface;
  std::variant<ContainerSpec, ImporterSpec, DagSpec> implementation;
  Where where;

  bool is_importer() const { return std::holds_alternative<ImporterSpec>(implementation); }
  const ContainerSpec* container() const { return std::get_if<ContainerSpec>(&implementation); }
  const ImporterSpec* importer() const { return std::get_if<ImporterSpec>(&implementation); }
  const DagSpec* dag() const { return std::get_if<DagSpec>(&implementation); }
};

struct Pool {
  std::string name;
  int places = 1;
};

struct PipelineSpec {
  std::string name;
  std::string description;
  ComponentId root{};                     // a DAG component; its interface's input parameters are the pipeline's
  std::vector<ComponentSpec> components;  // indexed by ComponentId
  std::vector<Pool> pools;
  std::string pipeline_root;  // `root:`; empty: not said
  std::string experiment;     // groups runs; empty: none
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<SourceFile> sources;  // [0] is the pipeline file
  // Where components were looked for in vain before they were found elsewhere: one that appears there would be taken instead.
  std::vector<std::filesystem::path> passed_over;

  const ComponentSpec& component(ComponentId id) const { return components[static_cast<std::size_t>(id)]; }
  const ComponentSpec& root_component() const { return component(root); }
  const DagSpec& root_dag() const { return *root_component().dag(); }
};

// The one name for an artifact type: "Dataset" -> "system.Dataset", "google.X" stays; anything unknown is nothing.
std::optional<std::string> artifact_type_of(std::string_view name);
// The parameter type a type name stands for, case-insensitive, KFP's synonyms too ("Integer", "int", "JsonObject", ...).
std::optional<ParameterType> parameter_type_of(std::string_view name);
// May an output of type `from` feed an input of type `to`? system.Artifact takes any and feeds any.
bool artifact_fits(std::string_view from, std::string_view to);

}  // namespace mlpipe::spec
