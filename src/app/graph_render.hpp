#pragma once

#include <string>

#include "mlpipe/plan/plan.hpp"
#include "mlpipe/report/reporters.hpp"

// A plan's DAG in the languages of `mlpipe graph`. The longest path of tasks is marked in all of them.
namespace mlpipe::app {

// For people: layers from top to bottom (what is in one layer may run side by side), each task with its image and its needs.
std::string graph_text(const plan::Plan& plan, report::Glyphs glyphs);
std::string graph_mermaid(const plan::Plan& plan);
std::string graph_dot(const plan::Plan& plan);

}  // namespace mlpipe::app
