#pragma once

#include <string>
#include <vector>

#include "mlpipe/plan/plan.hpp"
#include "mlpipe/report/reporters.hpp"

// A plan's DAG in the languages of `mlpipe graph`. The longest path of tasks is marked in all of them.
namespace mlpipe::app {

// For people: layers from top to bottom (what is in one layer may run side by side), each task with its image and its needs.
std::string graph_text(const plan::Plan& plan, report::Glyphs glyphs);
std::string graph_mermaid(const plan::Plan& plan);
enum class Edges { all, necessary };  // necessary: without those that follow from others
std::string graph_dot(const plan::Plan& plan, Edges edges = Edges::all);

// Of each task the needs that no other of its needs has already, ascending. Takes tasks x tasks / 8 bytes.
std::vector<std::vector<plan::TaskId>> necessary_needs(const plan::Plan& plan);

}  // namespace mlpipe::app
