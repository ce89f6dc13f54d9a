#include "mlpipe/plan/fingerprint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <set>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"
#include "support/spec_builder.hpp"

namespace mlpipe::plan {
namespace {

using spec::ParameterType;
using spec::Word;
using test::artifact;
using test::parameter;
using test::text_template;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A task as far as a fingerprint knows it; the tests change one thing of it.
struct Task {
  spec::ComponentSpec component;
  spec::TaskSettings settings;
  FingerprintInputs inputs;

  spec::ContainerSpec& container() { return std::get<spec::ContainerSpec>(component.implementation); }
  Fingerprint fingerprint() const { return fingerprint_of(component, settings, inputs); }
};

Word word(std::string_view text) { return Word{text_template(text)}; }

Task train() {
  Task task;
  task.component.name = "train";
  task.component.interface.input_parameters = {parameter("rate", ParameterType::floating),
                                               parameter("epochs", ParameterType::integer, Value(10)),
                                               parameter("note", ParameterType::string)};
  task.component.interface.input_parameters.back().optional = true;
  task.component.interface.input_artifacts = {artifact("dataset", "system.Dataset")};
  task.component.interface.output_parameters = {parameter("accuracy", ParameterType::floating)};
  task.component.interface.output_artifacts = {artifact("model", "system.Model")};
  spec::ContainerSpec container;
  container.image = spec::Template::literal("python:3.11-slim");
  container.has_command = true;
  container.command = {word("python3"), word("train.py")};
  container.args = {word("--data=${{ inputs.dataset.path }}"),
                    Word{Word::IfPresent{"note", {word("--note"), word("${{inputs.note}}")}, {}}},
                    Word{Word::Concat{{word("--rate="), word("${{ inputs.rate }}")}}}};
  container.env = {{"MODE", text_template("slow")}, {"SEED", text_template("${{ inputs.epochs+1 }}")}};
  task.component.implementation = container;
  task.settings.env = {{"MODE", text_template("fast")}};
  task.settings.secrets = {{.name = "TOKEN", .from_env = "MY_TOKEN", .from_file = "", .as_file = false, .where = {}}};
  task.settings.cache.version = "v1";
  task.inputs.image = "sha256:" + std::string(64, 'a');
  task.inputs.parameters = {{"rate", Value(0.5)}};
  task.inputs.artifacts = {{"dataset",
                            {.type = "system.Dataset",
                             .digest = "sha256:" + std::string(64, 'b'),
                             .file_name = "data.csv",
                             .is_folder = false,
                             .metadata = Value::Struct{{"rows", Value(100)}}}}};
  return task;
}

Task scripted(std::string_view script) {
  Task task = train();
  task.container().has_command = false;
  task.container().command.clear();
  task.container().args.clear();
  task.container().script = text_template(script);
  return task;
}

// Pins the format: a change here makes every result of earlier runs unusable, so raise k_fingerprint_version with it.
TEST(Fingerprint, TextIsThis) {
  EXPECT_EQ(train().fingerprint().text, R"(version mlpipe 1
version - "v1"
command 1 "python3"
command 2 "train.py"
args 1 "--data=${{ inputs.dataset.path }}"
args 2 {"if-present":"note","then":["--note","${{ inputs.note }}"],"else":[]}
args 3 {"concat":["--rate=","${{ inputs.rate }}"]}
env MODE "fast"
env SEED "${{ inputs.epochs + 1 }}"
output accuracy {"optional":false,"type":"Float"}
output model {"file":"data","optional":false,"type":"system.Model"}
secret TOKEN "variable"
image - "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
parameter epochs 10
parameter rate 0.5
present note false
input dataset {"digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","file":"data.csv","folder":false,"metadata":{"rows":100},"type":"system.Dataset"}
)");
  EXPECT_EQ(train().fingerprint().hex, sha256_hex(train().fingerprint().text));
}

TEST(Fingerprint, TextOfAScriptIsALineEach) {
  EXPECT_THAT(scripted("#!/bin/sh\n\necho \"${{ inputs.rate }}\"\n").fingerprint().text, HasSubstr(R"(
script 1 "#!/bin/sh"
script 2 ""
script 3 "echo \"${{ inputs.rate }}\""
script 4 ""
)"));
}

struct Case {
  std::string what;
  std::function<void(Task&)> change;
};

TEST(Fingerprint, ChangesWithWhatCounts) {
  const std::vector<Case> cases{
      {"image", [](Task& t) { t.inputs.image = "sha256:" + std::string(64, 'c'); }},
      {"command word", [](Task& t) { t.container().command[1] = word("test.py"); }},
      {"command gone", [](Task& t) { t.container().has_command = false; }},
      {"command empty", [](Task& t) { t.container().command.clear(); }},
      {"words the other way round", [](Task& t) { std::swap(t.container().command[0], t.container().command[1]); }},
      {"a word in two",
       [](Task& t) {
         t.container().command[0] = word("python"),
         t.container().command.insert(t.container().command.begin() + 1, word("3"));
       }},
      {"command word as argument",
       [](Task& t) {
         t.container().args.insert(t.container().args.begin(), t.container().command.back()),
             t.container().command.pop_back();
       }},
      {"argument", [](Task& t) { t.container().args[0] = word("--data=${{ inputs.dataset.uri }}"); }},
      {"branch", [](Task& t) { std::get<Word::IfPresent>(t.container().args[1].form).else_words = {word("x")}; }},
      {"concatenation", [](Task& t) { t.container().args[2] = word("--rate=${{ inputs.rate }}"); }},
      {"script", [](Task& t) { t.container().script = text_template("true"); }},
      {"empty script", [](Task& t) { t.container().script = text_template(""); }},
      {"component's variable", [](Task& t) { t.container().env[1].value = text_template("7"); }},
      {"task's variable", [](Task& t) { t.settings.env[0].value = text_template("medium"); }},
      {"variable gone", [](Task& t) { t.settings.env.clear(); }},
      {"variable more",
       [](Task& t) {
         t.settings.env.push_back({"MORE", text_template("")});
       }},
      {"parameter", [](Task& t) { t.inputs.parameters["rate"] = Value(0.25); }},
      {"parameter beside its default", [](Task& t) { t.inputs.parameters["epochs"] = Value(11); }},
      {"default", [](Task& t) { t.component.interface.input_parameters[1].default_value = Value(12); }},
      {"null for a default", [](Task& t) { t.inputs.parameters["epochs"] = Value(); }},
      {"optional parameter given", [](Task& t) { t.inputs.parameters["note"] = Value("x"); }},
      {"type of a parameter",
       [](Task& t) { t.component.interface.input_parameters[1].type = ParameterType::floating; }},
      {"content of an input", [](Task& t) { t.inputs.artifacts["dataset"].digest.back() = 'c'; }},
      {"kind of an input", [](Task& t) { t.inputs.artifacts["dataset"].is_folder = true; }},
      {"file name of an input", [](Task& t) { t.inputs.artifacts["dataset"].file_name = "data.tsv"; }},
      {"type of an input", [](Task& t) { t.inputs.artifacts["dataset"].type = "system.Artifact"; }},
      {"metadata of an input", [](Task& t) { t.inputs.artifacts["dataset"].metadata = Value::Struct{}; }},
      {"input gone", [](Task& t) { t.inputs.artifacts.clear(); }},
      {"input's name",
       [](Task& t) {
         t.inputs.artifacts["other"] = t.inputs.artifacts["dataset"], t.inputs.artifacts.erase("dataset");
       }},
      {"output more", [](Task& t) { t.component.interface.output_artifacts.push_back(artifact("log")); }},
      {"output's file", [](Task& t) { t.component.interface.output_artifacts[0].file_name = "model.pt"; }},
      {"output's type", [](Task& t) { t.component.interface.output_artifacts[0].type = "system.Artifact"; }},
      {"output optional", [](Task& t) { t.component.interface.output_artifacts[0].optional = true; }},
      {"output parameter's type",
       [](Task& t) { t.component.interface.output_parameters[0].type = ParameterType::string; }},
      {"secret's name", [](Task& t) { t.settings.secrets[0].name = "KEY"; }},
      {"secret as a file", [](Task& t) { t.settings.secrets[0].as_file = true; }},
      {"cache version", [](Task& t) { t.settings.cache.version = "v2"; }},
      {"no cache version", [](Task& t) { t.settings.cache.version = ""; }},
  };
  std::set<std::string> seen{train().fingerprint().hex};
  for (const Case& c : cases) {
    Task task = train();
    c.change(task);
    EXPECT_TRUE(seen.insert(task.fingerprint().hex).second) << c.what << "\n" << task.fingerprint().text;
  }
}

TEST(Fingerprint, IsTheSameWhateverDoesNotCount) {
  const std::vector<Case> cases{
      {"component's name", [](Task& t) { t.component.name = "fit"; }},
      {"description", [](Task& t) { t.component.description = "Fits."; }},
      {"where it was written", [](Task& t) { t.component.where.line = 77; }},
      {"image's name", [](Task& t) { t.container().image = spec::Template::literal("elsewhere/python"); }},
      {"retries", [](Task& t) { t.settings.retry.limit = 5; }},
      {"time-out", [](Task& t) { t.settings.timeout = std::chrono::minutes(5); }},
      {"resources", [](Task& t) { t.settings.resources = {.cpu = 4, .memory = 1 << 30, .shm = 1 << 20, .gpu = 1}; }},
      {"pools", [](Task& t) { t.settings.pools = {"license"}; }},
      {"network", [](Task& t) { t.settings.network = spec::NetworkMode::none; }},
      {"user", [](Task& t) { t.settings.user = spec::UserMode::image; }},
      {"pull policy", [](Task& t) { t.settings.pull = spec::PullPolicy::always; }},
      {"age of results", [](Task& t) { t.settings.cache.max_age = std::chrono::hours(1); }},
      {"keep", [](Task& t) { t.settings.keep = false; }},
      {"where a secret is read", [](Task& t) { t.settings.secrets[0].from_env = "OTHER"; }},
      {"variable of the component that the task overrides",
       [](Task& t) { t.container().env[0].value = text_template("x"); }},
      {"default given", [](Task& t) { t.inputs.parameters["epochs"] = Value(10); }},
      {"default given as a Float that is whole", [](Task& t) { t.inputs.parameters["epochs"] = Value(10.0); }},
      {"order of declarations",
       [](Task& t) {
         std::swap(t.component.interface.input_parameters[0], t.component.interface.input_parameters[2]);
         std::swap(t.container().env[0], t.container().env[1]);
       }},
      {"spaces in an expression", [](Task& t) { t.container().args[0] = word("--data=${{inputs.dataset.path}}"); }},
      {"input's description", [](Task& t) { t.component.interface.input_artifacts[0].description = "rows"; }},
  };
  const std::string expected = train().fingerprint().text;
  for (const Case& c : cases) {
    Task task = train();
    c.change(task);
    EXPECT_EQ(task.fingerprint().text, expected) << c.what;
  }
}

TEST(Fingerprint, AnIntegerGivenForAFloatIsThatFloat) {
  Task one = train();
  one.inputs.parameters["rate"] = Value(1);
  Task other = train();
  other.inputs.parameters["rate"] = Value(1.0);
  EXPECT_EQ(one.fingerprint().text, other.fingerprint().text);
  EXPECT_THAT(one.fingerprint().text, HasSubstr("parameter rate 1.0\n"));
}

// An if-present word asks whether the task gave the input; a default is not given.
TEST(Fingerprint, CountsPresenceWhereTheComponentAsksForIt) {
  Task given = train();
  given.component.interface.input_parameters[2].default_value = Value("x");
  Task left = given;
  given.inputs.parameters["note"] = Value("x");
  EXPECT_THAT(given.fingerprint().text, HasSubstr("present note true\n"));
  EXPECT_THAT(left.fingerprint().text, HasSubstr("present note false\n"));
}

TEST(Fingerprint, NamesAndTextsCannotPassForOthers) {
  const auto with_parameter = [](const std::string& name, const Value& value) {
    Task task = train();
    task.inputs.parameters[name] = value;
    return task;
  };
  std::vector<Task> tasks;
  tasks.push_back(with_parameter("a b", Value("c")));
  tasks.push_back(with_parameter("a", Value("b c")));
  tasks.push_back(with_parameter("a \"b", Value("c")));
  tasks.push_back(with_parameter("a", Value("1\nparameter b \"2\"")));
  tasks.push_back(with_parameter("a 1\nparameter b", Value(2)));
  Task two = with_parameter("a", Value("1"));
  two.inputs.parameters["b"] = Value("2");
  tasks.push_back(two);
  tasks.push_back(with_parameter("a", Value("1")));
  tasks.push_back(with_parameter("a", Value(1)));
  tasks.push_back(with_parameter("a", Value(1.0)));
  tasks.push_back(with_parameter("a", Value(true)));
  tasks.push_back(with_parameter("a", Value("true")));
  tasks.push_back(with_parameter("a", Value("[1]")));
  tasks.push_back(with_parameter("a", Value(Value::List{Value(1)})));
  tasks.push_back(with_parameter("a", Value(Value::List{Value(1.0)})));
  tasks.push_back(with_parameter("a", Value(Value::Struct{})));
  tasks.push_back(with_parameter("a", Value("\xff")));
  tasks.push_back(with_parameter("a", Value("\xfe")));
  tasks.push_back(with_parameter("a", Value("\xef\xbf\xbd")));
  tasks.push_back(with_parameter("a", Value("base64:\"/w==\"")));
  tasks.push_back(with_parameter("a", Value(std::numeric_limits<double>::quiet_NaN())));
  tasks.push_back(with_parameter("a", Value("NaN")));
  tasks.push_back(with_parameter("", Value("c")));
  tasks.push_back(with_parameter("-", Value("c")));
  for (const char* script :
       {"a\nb", "a", "a\n", "\na", "${{ inputs.note }}", "$${{ inputs.note }}", "$$${{ inputs.note }}"}) {
    tasks.push_back(scripted(script));
  }
  Task dollar = scripted("");
  dollar.container().script = spec::Template{{std::string("$"), test::expression("inputs.note")}};
  tasks.push_back(dollar);
  std::set<std::string> seen;
  for (const Task& task : tasks) {
    const Fingerprint made = task.fingerprint();
    EXPECT_TRUE(seen.insert(made.hex).second) << made.text;
    for (const std::string_view line : split(std::string_view(made.text).substr(0, made.text.size() - 1), '\n')) {
      EXPECT_GE(std::ranges::count(line, ' '), 2) << line;
    }
  }
}

TEST(Fingerprint, MakerSaysTheSameForManyTasks) {
  const Task first = train();
  Task second = train();
  second.settings.cache.version = "v2";
  FingerprintMaker maker;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(maker.make(first.component, first.settings, first.inputs).text, first.fingerprint().text);
    EXPECT_EQ(maker.make(first.component, second.settings, second.inputs).text, second.fingerprint().text);
  }
}

std::vector<std::string> changes(const Task& before, const Task& after) {
  std::vector<std::string> sentences;
  for (const FingerprintChange& change : compare_fingerprints(before.fingerprint().text, after.fingerprint().text)) {
    sentences.push_back(to_string(change));
  }
  return sentences;
}

// The sentences for one change of train().
std::vector<std::string> changes_of(const std::function<void(Task&)>& change) {
  Task after = train();
  change(after);
  return changes(train(), after);
}

TEST(FingerprintChanges, AreNoneOfTheSame) { EXPECT_THAT(changes(train(), train()), ElementsAre()); }

TEST(FingerprintChanges, SayWhatChanged) {
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.parameters["rate"] = Value(0.25); }),
              ElementsAre("parameter rate changed from 0.5 to 0.25"));
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.image = "sha256:" + std::string(64, 'c'); }),
              ElementsAre("image changed from sha256:aaaaaaaaaaaa… to sha256:cccccccccccc…"));
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.artifacts["dataset"].digest = "sha256:" + std::string(64, 'c'); }),
              ElementsAre("input dataset changed from sha256:bbbbbbbbbbbb… to sha256:cccccccccccc…"));
  EXPECT_THAT(changes_of([](Task& t) {
                t.inputs.artifacts["dataset"].metadata = Value::Struct{{"rows", Value(7)}};
              }),
              ElementsAre("input dataset changed from metadata {\"rows\":100} to metadata {\"rows\":7}"));
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.artifacts["dataset"].is_folder = true; }),
              ElementsAre("input dataset changed from a file to a folder"));
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.artifacts.clear(); }), ElementsAre("input dataset is gone"));
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.artifacts["more"] = {}; }), ElementsAre("input more is new"));
  EXPECT_THAT(changes_of([](Task& t) { t.settings.env[0].value = text_template("mid"); }),
              ElementsAre("variable MODE changed from \"fast\" to \"mid\""));
  EXPECT_THAT(changes_of([](Task& t) { t.settings.cache.version = "v2"; }),
              ElementsAre("the cache version changed from v1 to v2"));
  EXPECT_THAT(changes_of([](Task& t) { t.settings.secrets.clear(); }), ElementsAre("secret TOKEN is gone"));
  EXPECT_THAT(changes_of([](Task& t) { t.component.interface.output_artifacts[0].file_name = "m"; }),
              ElementsAre("output model changed from system.Model, file data to system.Model, file m"));
  EXPECT_THAT(changes_of([](Task& t) { t.container().command[1] = word("x.py"); }),
              ElementsAre("command changed in word 2: from train.py to x.py"));
  EXPECT_THAT(changes_of([](Task& t) { t.container().command.push_back(word("-v")); }),
              ElementsAre("command has a new word 3: -v"));
  EXPECT_THAT(changes_of([](Task& t) { t.container().args.pop_back(); }),
              ElementsAre(HasSubstr("args lost word 3: {\"concat\"")));
  EXPECT_THAT(changes_of([](Task& t) { t.inputs.parameters["note"] = Value("x"); }),
              ElementsAre("parameter note is new", "input note is given now"));
}

TEST(FingerprintChanges, OfLongTextsAreCutToWhereTheyDiffer) {
  const std::string same(200, 'x');
  EXPECT_THAT(
      changes(scripted(same + "äaä" + same), scripted(same + "äbä" + same)),
      ElementsAre(AllOf(StartsWith("script changed in line 1: from …xxx"), HasSubstr("äaä"), HasSubstr("äbä"))));
  EXPECT_THAT(changes(scripted(same), scripted("y" + same)),
              ElementsAre(StartsWith("script changed in line 1: from xxx")));
}

TEST(FingerprintChanges, OfAScriptNameTheLine) {
  const Task before = scripted("#!/bin/sh\nset -e\n\necho a\n");
  EXPECT_THAT(changes(before, scripted("#!/bin/sh\nset -e\n\necho b\n")),
              ElementsAre("script changed in line 4: from echo a to echo b"));
  EXPECT_THAT(changes(before, scripted("#!/bin/sh\nset -e\nset -u\n\necho a\n")),
              ElementsAre("script has a new line 3: set -u"));
  EXPECT_THAT(changes(before, scripted("#!/bin/sh\nset -e\necho a\n")), ElementsAre("script lost line 3: (empty)"));
  EXPECT_THAT(changes(before, train()),
              ElementsAre("command is new", "args is new", "script is gone", "input note is left to its default now"));
}

TEST(FingerprintChanges, OfALongWordShowTheLine) {
  Task before = train();
  before.container().command = {word("sh"), word("-c"), word("set -e\necho a\necho c")};
  Task after = train();
  after.container().command = {word("sh"), word("-c"), word("set -e\necho b\necho c")};
  EXPECT_THAT(changes(before, after), ElementsAre("command changed in word 3: from echo a to echo b"));
}

TEST(FingerprintChanges, ComeInTheOrderAReaderWants) {
  Task after = train();
  after.settings.cache.version = "v2";
  after.settings.env.clear();
  after.inputs.image = "x";
  after.inputs.parameters["rate"] = Value(1);
  after.inputs.artifacts.clear();
  after.container().command.pop_back();
  std::vector<std::string> kinds;
  for (const FingerprintChange& change : compare_fingerprints(train().fingerprint().text, after.fingerprint().text)) {
    kinds.push_back(change.kind);
  }
  EXPECT_THAT(kinds, ElementsAre("version", "image", "command", "parameter", "input", "env"));
}

TEST(FingerprintChanges, AreSafeOnATerminal) {
  const auto sentences = changes_of([](Task& t) {
    t.inputs.parameters["a\n\x1b[31m"] = Value("x");
    t.container().command[1] = word("\x1b[2J");
  });
  for (const std::string& sentence : sentences) {
    EXPECT_THAT(sentence, Not(HasSubstr("\x1b")));
    EXPECT_THAT(sentence, Not(HasSubstr("\n")));
  }
  EXPECT_EQ(sentences.size(), 2U);
}

TEST(FingerprintChanges, OfATextThatIsNoneAreHarmless) {
  const std::string good = train().fingerprint().text;
  for (const std::string& text : {std::string(), std::string("\n\n"), std::string("version"), std::string("input x {"),
                                  std::string("input \"x"), std::string("script 1"), std::string("what - 1\n")}) {
    for (const FingerprintChange& change : compare_fingerprints(text, good)) EXPECT_FALSE(to_string(change).empty());
    for (const FingerprintChange& change : compare_fingerprints(good, text)) EXPECT_FALSE(to_string(change).empty());
  }
}

}  // namespace
}  // namespace mlpipe::plan
