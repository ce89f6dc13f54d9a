#include "ready_queue.hpp"

#include <algorithm>

#include "mlpipe/base/assert.hpp"

namespace mlpipe::engine {

using plan::TaskId;

ReadyQueue::ReadyQueue(const plan::Plan& plan, const Limits& limits)
    : plan_(plan),
      limits_(limits_of(plan.spec(), limits)),
      held_(limits_.size()),
      withdrawn_(plan.size()),
      held_since_(limits_.size()) {
  assign_lines();
}

void ReadyQueue::assign_lines() {
  const spec::TaskSettings* last = nullptr;  // tasks without settings of their own share them
  std::uint32_t line = 0;
  line_of_.reserve(plan_.size());
  for (std::uint32_t task = 0; task < plan_.size(); ++task) {
    if (const spec::TaskSettings* settings = plan_.task(TaskId{task}).spec->settings.get(); settings != last) {
      last = settings;
      line = line_with(demand_of(plan_.spec(), *settings));
    }
    line_of_.push_back(line);
  }
}

std::uint32_t ReadyQueue::line_with(Demand demand) {
  std::erase_if(demand, [&](const Amount& each) { return limits_[each.dimension] == k_unlimited; });
  auto [found, is_new] = line_by_demand_.try_emplace(std::move(demand), static_cast<std::uint32_t>(lines_.size()));
  if (is_new) lines_.push_back(Line{.demand = found->first, .heap = {}});
  return found->second;
}

void ReadyQueue::change_demand(TaskId task, Demand demand) { line_of_[index(task)] = line_with(std::move(demand)); }

void ReadyQueue::push(TaskId task) {
  if (withdrawn_[index(task)]) {  // its entry is still there
    withdrawn_[index(task)] = false;
    return;
  }
  std::vector<Key>& heap = lines_[line_of_[index(task)]].heap;
  heap.push_back(key(task));
  std::push_heap(heap.begin(), heap.end());
}

std::optional<TaskId> ReadyQueue::next() {
  if (held_[k_slots] >= limits_[k_slots]) return std::nullopt;
  if (reserved_ != nullptr) {
    drop_withdrawn(*reserved_);
    if (reserved_->heap.empty()) {
      reserved_ = nullptr;
    } else if (fits(*reserved_)) {
      return task_of(reserved_->heap.front());
    }
  }
  Key best = 0;
  for (Line& line : lines_) {
    drop_withdrawn(line);
    if (line.heap.empty() || line.heap.front() < best || !fits(line)) continue;
    if (reserved_ != nullptr && !fits_beside_reserved(line)) continue;
    best = line.heap.front();
  }
  if (best == 0) return std::nullopt;
  return task_of(best);
}

void ReadyQueue::take(TaskId task) {
  Line& line = lines_[line_of_[index(task)]];
  MLPIPE_ASSERT(!line.heap.empty() && line.heap.front() == key(task) && fits(line));
  std::pop_heap(line.heap.begin(), line.heap.end());
  line.heap.pop_back();
  line.overtaken = 0;
  hold(line, task);
  if (reserved_ == nullptr) count_overtaken(key(task));
}

void ReadyQueue::take_anyway(TaskId task) {
  Line& line = lines_[line_of_[index(task)]];
  auto entry = std::find(line.heap.begin(), line.heap.end(), key(task));
  MLPIPE_ASSERT(entry != line.heap.end());
  line.heap.erase(entry);
  std::make_heap(line.heap.begin(), line.heap.end());
  hold(line, task);
}

void ReadyQueue::hold(const Line& line, TaskId task) {
  for (const Amount& each : line.demand) held_[each.dimension] += each.amount;
  if (reserved_ == &line) {
    reserved_ = nullptr;
  } else if (reserved_ != nullptr) {
    for (const Amount& each : line.demand) held_since_[each.dimension] += each.amount;
    taken_since_.push_back(task);
  }
}

void ReadyQueue::withdraw(TaskId task) { withdrawn_[index(task)] = true; }

void ReadyQueue::release(TaskId task) {
  const Demand& demand = lines_[line_of_[index(task)]].demand;
  for (const Amount& each : demand) held_[each.dimension] -= each.amount;
  if (reserved_ == nullptr) return;
  auto since = std::find(taken_since_.begin(), taken_since_.end(), task);
  if (since == taken_since_.end()) return;
  taken_since_.erase(since);
  for (const Amount& each : demand) held_since_[each.dimension] -= each.amount;
}

// Lines whose first task comes before the one that started, and which do not fit, were overtaken. The first of those
// that were overtaken too often gets the reservation.
void ReadyQueue::count_overtaken(Key started) {
  if (lines_.size() == 1) return;
  Key first = 0;
  for (Line& line : lines_) {
    drop_withdrawn(line);
    if (line.heap.empty() || line.heap.front() < started || fits(line)) continue;
    if (++line.overtaken < k_most_overtakes || line.heap.front() < first) continue;
    first = line.heap.front();
    reserved_ = &line;
  }
  if (reserved_ == nullptr) return;
  std::fill(held_since_.begin(), held_since_.end(), 0);
  taken_since_.clear();
}

void ReadyQueue::drop_withdrawn(Line& line) {
  while (!line.heap.empty() && withdrawn_[index(task_of(line.heap.front()))]) {
    withdrawn_[index(task_of(line.heap.front()))] = false;
    std::pop_heap(line.heap.begin(), line.heap.end());
    line.heap.pop_back();
  }
}

bool ReadyQueue::fits(const Line& line) const {
  return std::all_of(line.demand.begin(), line.demand.end(), [&](const Amount& each) {
    return each.amount <= limits_[each.dimension] - held_[each.dimension];
  });
}

bool ReadyQueue::fits_beside_reserved(const Line& line) const {
  auto reserved = [&](std::uint32_t dimension) {
    auto found = std::find_if(reserved_->demand.begin(), reserved_->demand.end(),
                              [&](const Amount& each) { return each.dimension == dimension; });
    return found == reserved_->demand.end() ? 0 : found->amount;
  };
  return std::all_of(line.demand.begin(), line.demand.end(), [&](const Amount& each) {
    return each.amount <= limits_[each.dimension] - held_since_[each.dimension] - reserved(each.dimension);
  });
}

ReadyQueue::Key ReadyQueue::key(TaskId task) const {
  return Key{plan_.rank(task)} << 32 | static_cast<std::uint32_t>(~static_cast<std::uint32_t>(task));
}

TaskId ReadyQueue::task_of(Key key) { return TaskId{~static_cast<std::uint32_t>(key)}; }

}  // namespace mlpipe::engine
