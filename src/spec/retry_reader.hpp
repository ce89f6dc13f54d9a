#pragma once

#include "mlpipe/spec/model.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// `retry: N` or `retry: {limit, backoff, factor, max_backoff, on, memory}`: sets in `retry` what is said.
void read_retry(YamlNode node, RetryPolicy& retry, Mistakes& mistakes);

// Warns of what `node`, a task's own `retry`, says in vain, given the `settings` that the task has in the end.
void warn_of_idle_retry(YamlNode node, const TaskSettings& settings, Mistakes& mistakes);
// The same for the `retry` of `defaults`, which is in vain only when it is for every one of `tasks`.
void warn_of_idle_default_retry(YamlNode node, const std::vector<TaskSpec>& tasks, Mistakes& mistakes);

}  // namespace mlpipe::spec
