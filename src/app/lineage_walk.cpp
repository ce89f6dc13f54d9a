#include <set>

#include "app/lineage.hpp"

namespace mlpipe::app {
namespace {

using metadata::Making;
using metadata::MakingQuery;
using metadata::Side;

constexpr std::size_t k_makers_of_digest = 5;
constexpr std::size_t k_users_of_artifact = 100;
constexpr std::size_t k_most_nodes = 5000;

class Walk final {
 public:
  Walk(metadata::Queries& queries, int depth) : queries_(queries), depth_(depth) {}

  Result<LineageNode> up(Making making, int level) {
    LineageNode node = begin(std::move(making), level);
    if (node.seen || node.cut) return node;
    if (!node.making.cached_from.empty()) {
      Result<> found = find_origin(node, level);
      if (!found) return Failure(std::move(found).error());
      if (!node.origin.empty()) return node;  // its own inputs are the same artifacts
    }
    for (const auto& [name, artifact] : node.making.inputs.artifacts) {
      LineageNode::Link& link = node.links.emplace_back();
      link.name = name;
      link.artifact = artifact;
      const Result<std::vector<Making>> makers = queries_.makings({.side = Side::output,
                                                                   .digest = artifact.digest,
                                                                   .uri = artifact.uri,
                                                                   .first_run = node.making.run,
                                                                   .not_of_run = node.making.run,
                                                                   .not_of_task = node.making.task});
      if (!makers) return Failure(makers.error());
      for (const Making& maker : *makers) {
        Result<LineageNode> next = up(maker, level + 1);
        if (!next) return next;
        link.nodes.push_back(std::move(*next));
      }
    }
    return node;
  }

  Result<> down(LineageNode::Link& link, int level) {
    Result<std::vector<Making>> users = queries_.makings({.side = Side::input,
                                                          .digest = link.artifact.digest,
                                                          .uri = link.artifact.uri,
                                                          .first_run = {},
                                                          .not_of_run = {},
                                                          .not_of_task = {},
                                                          .limit = k_users_of_artifact + 1});
    if (!users) return Failure(std::move(users).error());
    link.more = users->size() > k_users_of_artifact;
    if (link.more) users->pop_back();
    for (Making& user : *users) {
      const std::string as = input_of(user, link.artifact);
      LineageNode node = begin(std::move(user), level);
      node.as = as;
      if (!node.seen && !node.cut) {
        for (const auto& [name, artifact] : node.making.outputs.artifacts) {
          LineageNode::Link next{.name = name, .artifact = artifact, .nodes = {}, .more = false};
          if (Result<> walked = down(next, level + 1); !walked) return walked;
          node.links.push_back(std::move(next));
        }
      }
      link.nodes.push_back(std::move(node));
    }
    return {};
  }

 private:
  LineageNode begin(Making making, int level) {
    LineageNode node;
    node.seen = !seen_.emplace(making.run, making.task).second;
    node.cut = !node.seen && (level > depth_ || seen_.size() > k_most_nodes);
    if (node.cut) seen_.erase({making.run, making.task});  // it may stand elsewhere, nearer
    node.making = std::move(making);
    return node;
  }

  // What gave the same artifacts in the run the cached result came from. That run may be gone from the record.
  Result<> find_origin(LineageNode& node, int level) {
    for (const auto& [name, artifact] : node.making.outputs.artifacts) {
      const Result<std::vector<Making>> makers = queries_.makings({.side = Side::output,
                                                                   .digest = artifact.digest,
                                                                   .uri = artifact.uri,
                                                                   .first_run = node.making.cached_from,
                                                                   .not_of_run = node.making.run,
                                                                   .not_of_task = node.making.task});
      if (!makers) return Failure(makers.error());
      if (makers->empty() || makers->front().run != node.making.cached_from) continue;
      Result<LineageNode> origin = up(makers->front(), level);
      if (!origin) return Failure(std::move(origin).error());
      node.origin.push_back(std::move(*origin));
      return {};
    }
    return {};
  }

  static std::string input_of(const Making& making, const engine::Artifact& artifact) {
    for (const auto& [name, input] : making.inputs.artifacts) {
      if (artifact.digest.empty() ? input.uri == artifact.uri : input.digest == artifact.digest) return name;
    }
    return "";
  }

  metadata::Queries& queries_;
  int depth_;
  std::set<std::pair<std::string, std::string>> seen_;  // run and task
};

LineageNode::Link link_to(const FoundArtifact& found) {
  std::string name = found.run.empty() ? found.output : found.run + "/" + found.task + "/" + found.output;
  return {.name = std::move(name), .artifact = found.artifact, .nodes = {}, .more = false};
}

}  // namespace

Result<LineageNode::Link> lineage_up(metadata::Queries& queries, const FoundArtifact& found, int depth) {
  LineageNode::Link link = link_to(found);
  std::vector<Making> makers;
  if (!found.run.empty()) {
    Result<std::optional<Making>> maker = queries.making_of(found.run, found.task);
    if (!maker) return Failure(std::move(maker).error());
    if (*maker) makers.push_back(std::move(**maker));
  } else {
    MakingQuery query{.digest = found.artifact.digest, .uri = found.artifact.uri, .limit = k_makers_of_digest + 1};
    Result<std::vector<Making>> all = queries.makings(query);
    if (!all) return Failure(std::move(all).error());
    makers = std::move(*all);
    link.more = makers.size() > k_makers_of_digest;
    if (link.more) makers.pop_back();
  }
  Walk walk(queries, depth);
  for (Making& maker : makers) {
    Result<LineageNode> node = walk.up(std::move(maker), 1);
    if (!node) return Failure(std::move(node).error());
    link.nodes.push_back(std::move(*node));
  }
  return link;
}

Result<LineageNode::Link> lineage_down(metadata::Queries& queries, const FoundArtifact& found, int depth) {
  LineageNode::Link link = link_to(found);
  if (Result<> walked = Walk(queries, depth).down(link, 1); !walked) return Failure(std::move(walked).error());
  return link;
}

}  // namespace mlpipe::app
