#pragma once

#include <map>
#include <string>
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
  std::string image;  // the image's id: its content, not its name
  std::map<std::string, Value, std::less<>> parameters;  // as the task gave them; defaults are added
  std::map<std::string, FingerprintArtifact, std::less<>> artifacts;
};

struct Fingerprint {
  std::string hex;   // SHA-256 of `text`
  std::string text;  // canonical: one fact a line, "<kind> <name> <JSON>", sorted; kept so that two can be compared
};

// The fingerprint of a container component run with `settings` and `inputs`: image, command, args and script as written
// (before substitution), declared environment, parameter values, inputs by content, declared outputs, the names of
// secrets, `cache: {version}` and our own version. Not the run, the host, times, URIs, resources, retries or network.
Fingerprint fingerprint_of(const spec::ComponentSpec& component, const spec::TaskSettings& settings,
                           const FingerprintInputs& inputs);

// One fact that differs between two fingerprints.
struct FingerprintChange {
  std::string kind;    // "image", "command", "parameter", "input", "env", "script", "output", "secret", "version"
  std::string name;    // of the parameter, input, variable, ...; empty when there is just one of the kind
  std::string before;  // the fact as people read it; empty: it was not there
  std::string after;
};
// The facts of `after` that differ from those of `before`, both texts of fingerprint_of(), in the order in which a
// reader wants them: version, image, code, parameters, inputs, the rest.
std::vector<FingerprintChange> compare_fingerprints(const std::string& before, const std::string& after);
// "parameter test_size changed from 0.2 to 0.3", "image changed from sha256:ab12… to sha256:cd34…", "script changed in
// line 3: …", "input dataset is new".
std::string to_string(const FingerprintChange& change);

}  // namespace mlpipe::plan
