#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/model.hpp"

// What decides whether the result of one task can stand for another's (docs/design.md, "The cache").
namespace mlpipe::plan {

constexpr int k_fingerprint_version = 1;

struct FingerprintArtifact {
  std::string type;
  std::string digest;
  std::string file_name;  // the last part of its URI: a component sees it, the folders above it do not count
  bool is_folder = false;
  Value metadata = Value::Struct{};
};

// What a task is given, as far as it counts.
struct FingerprintInputs {
  std::string image;                                     // the image's id: its content, not its name
  std::map<std::string, Value, std::less<>> parameters;  // as the task gave them; defaults are added
  std::map<std::string, FingerprintArtifact, std::less<>> artifacts;
};

struct Fingerprint {
  std::string hex;   // SHA-256 of `text`
  std::string text;  // canonical: one fact a line, "<kind> <name> <JSON>"; kept so that two can be compared
};

// The fingerprint of a container component run with `settings` and `inputs`: image, command, args and script as written
// (before substitution), declared environment, parameter values, inputs by content, declared outputs, the names of
// secrets, `cache: {version}` and our own version. Not the component's name, the run, the host, times, URIs, resources,
// retries or network.
Fingerprint fingerprint_of(const spec::ComponentSpec& component, const spec::TaskSettings& settings,
                           const FingerprintInputs& inputs);

// Makes the fingerprints of many tasks: what a component and its settings add is written once for all tasks that share
// the two. Borrows both: they must outlive it and stay as they are. One thread at a time.
class FingerprintMaker final {
 public:
  FingerprintMaker();
  ~FingerprintMaker();
  FingerprintMaker(const FingerprintMaker&) = delete;
  FingerprintMaker& operator=(const FingerprintMaker&) = delete;

  // What fingerprint_of() would say.
  Fingerprint make(const spec::ComponentSpec& component, const spec::TaskSettings& settings,
                   const FingerprintInputs& inputs);

 private:
  struct Code;
  std::map<std::pair<const spec::ComponentSpec*, const spec::TaskSettings*>, std::unique_ptr<const Code>> codes_;
};

// One fact that differs between two fingerprints.
struct FingerprintChange {
  // "version", "image", "command", "args", "script", "parameter", "present", "input", "env", "output", "secret"
  std::string kind;
  // Of the parameter, input, variable, ...; of command, args and script the number of the first word or line that
  // differs, empty when all of it came or went. Empty when there is just one of the kind.
  std::string name;
  std::string before;  // the fact as people read it; empty: it was not there
  std::string after;
};
// The facts of `after` that differ from those of `before`, both texts of fingerprint_of(), in the order in which a
// reader wants them: version, image, code, parameters, inputs, the rest. Command, args and script give one each.
std::vector<FingerprintChange> compare_fingerprints(const std::string& before, const std::string& after);
// "parameter test_size changed from 0.2 to 0.3", "image changed from sha256:ab12… to sha256:cd34…", "script changed
// in line 3: from … to …", "input dataset is new". One line, safe on a terminal.
std::string to_string(const FingerprintChange& change);

}  // namespace mlpipe::plan
