#pragma once

#include <string>
#include <vector>

#include "app/console.hpp"
#include "app/options.hpp"
#include "mlpipe/metadata/lineage.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::app {

// `mlpipe show --lineage`: where an artifact comes from, and what was made from it.
ExitCode lineage(const ShowCommand& command, const Console& console);

// The artifact that a reference means: RUN/TASK/OUTPUT, a path of a payload, or the first 8 or more digits of a digest.
struct FoundArtifact {
  engine::Artifact artifact;
  std::string run;  // where it was looked for; empty for a digest
  std::string task;
  std::string output;
};
Result<FoundArtifact> find_artifact(metadata::Queries& queries, const std::string& reference,
                                    const std::filesystem::path& root);

// A tree of attempts. One that stands further up already is `seen`, and ends there; so no circle is walked.
struct LineageNode {
  // Upwards an input and what made it (one or none); downwards an output and what took it.
  struct Link {
    std::string name;
    engine::Artifact artifact;
    std::vector<LineageNode> nodes;
    bool more = false;  // there are more than these
  };
  metadata::Making making;
  std::string as;  // downwards: the input that took the artifact
  bool seen = false;
  bool cut = false;                 // at the greatest depth
  std::vector<LineageNode> origin;  // of a cached task: what made it in the run it came from
  std::vector<Link> links;
};

// What made `found`, down to the imports: the makers of a digest, at most a few; of RUN/TASK/OUTPUT the one.
Result<LineageNode::Link> lineage_up(metadata::Queries& queries, const FoundArtifact& found, int depth);
// What was made from it, across runs.
Result<LineageNode::Link> lineage_down(metadata::Queries& queries, const FoundArtifact& found, int depth);

// For people, and docs/json.md.
std::string lineage_up_text(const LineageNode::Link& link, const Console& console);
std::string lineage_down_text(const LineageNode::Link& link, const Console& console);
Value lineage_up_value(const LineageNode::Link& link);
Value lineage_down_value(const LineageNode::Link& link);

}  // namespace mlpipe::app
