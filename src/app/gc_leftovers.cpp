#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "app/gc_plan.hpp"
#include "mlpipe/metadata/removal.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/runner/secret_folder.hpp"
#include "mlpipe/sys/lock.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

// A start that crashed is told from one that is under way by its lock; the hour is for file systems without locks.
constexpr std::chrono::hours k_crashed_start{1};

// Roots are removed by hand, too.
constexpr std::chrono::days k_forgotten{30};

std::string label_of(const runner::ContainerSummary& container, const std::string& name) {
  const auto found = container.labels.find(name);
  return found == container.labels.end() ? std::string() : found->second;
}

bool is_old(const fs::path& folder, WallTime now) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return false;
  return WallTime(std::chrono::seconds(info.st_mtim.tv_sec)) + k_crashed_start < now;
}

// Made by a start of ours that never got as far as a record, or of which gc removed the record.
bool is_ours_to_remove(const fs::path& folder) {
  std::error_code error;
  if (is_half_removed(folder)) return true;
  if (fs::exists(folder / "run.json", error)) return false;
  return fs::is_empty(folder, error) || fs::is_directory(folder / ".mlpipe", error);
}

class Search final {
 public:
  Search(const LeftoverSearch& search, DiskUse& use, GcPlan& plan) : search_(search), use_(use), plan_(plan) {
    for (const RunToGo& run : search.going) going_.insert(run.run.id);
  }

  void containers() {
    std::map<std::string, const metadata::RunRow*> rows;
    for (const metadata::RunRow& row : search_.recorded.runs) rows.emplace(row.id, &row);
    for (const runner::ContainerSummary& container : search_.containers) {
      const std::string run = label_of(container, "mlpipe.run");
      if (sys::is_locked(search_.root.run_lock(run))) continue;
      const auto row = rows.find(run);
      const bool may_go_on = row != rows.end() && row->second->interrupted && !going_.contains(run);
      if (may_go_on) continue;
      add({.kind = LeftoverKind::container, .name = container.name, .id = container.id, .run = run});
    }
  }

  void folders() {
    std::size_t unknown = 0;
    for (const std::string& name : search_.folders) {
      if (search_.recorded.ids.contains(name) || sys::is_locked(search_.root.run_lock(name))) continue;
      const fs::path folder = search_.root.run(name);
      if (!is_ours_to_remove(folder)) {
        std::error_code error;
        if (fs::exists(folder / "run.json", error)) ++unknown;
        continue;
      }
      if (!is_half_removed(folder) && !is_old(folder, search_.now)) continue;
      add({.kind = LeftoverKind::folder, .name = folder.string(), .id = {}, .run = name, .bytes = take(folder)});
    }
    if (unknown == 0) return;
    plan_.remarks.push_back(
        fmt::format("{} run(s) in {} are not in the record and stay: look at their run.json, or take them in "
                    "with `mlpipe doctor --rebuild`",
                    unknown, search_.root.runs().string()));
  }

  // A crash between the record's word that a payload goes and its going.
  Result<> payloads() {
    if (search_.recorded.runs.empty()) return {};
    Result<std::vector<metadata::GonePayload>> gone = metadata::gone_payloads(search_.root.database());
    if (!gone) return Failure(gone.error());
    for (const metadata::GonePayload& payload : *gone) {
      if (going_.contains(payload.run_id) || search_.recorded.locked.contains(payload.run_id)) continue;
      const fs::path path = artifact::TaskTree(search_.root.run(payload.run_id), payload.task).output(payload.output);
      std::error_code error;
      if (!fs::exists(fs::symlink_status(path, error))) continue;
      add({.kind = LeftoverKind::payload, .name = path.string(), .id = {}, .run = payload.run_id, .bytes = take(path)});
    }
    return {};
  }

  void locks() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(search_.root.state() / "locks", error)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".lock" || !entry.is_regular_file(error)) continue;
      const std::string run = path.stem().string();
      const bool known = search_.recorded.ids.contains(run) || fs::exists(search_.root.run(run), error);
      if (!known) stale(path, run);
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(search_.root.state() / "locks" / "results", error)) {
      if (entry.is_regular_file(error)) stale(entry.path(), "");
    }
  }

  void trash() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(search_.root.state() / "trash", error)) {
      add({.kind = LeftoverKind::trash,
           .name = entry.path().string(),
           .id = {},
           .run = {},
           .bytes = take(entry.path())});
    }
  }

  void secrets() {
    for (const fs::path& folder : runner::abandoned_secrets(search_.secrets)) {
      add({.kind = LeftoverKind::secrets, .name = folder.string(), .id = {}, .run = {}, .bytes = 0});
    }
  }

  Result<> images() {
    if (!search_.images || search_.engine == nullptr) return {};
    std::set<std::string> used;
    if (!search_.recorded.runs.empty()) {
      Result<std::vector<metadata::UsedImage>> recorded = metadata::used_images(search_.root.database());
      if (!recorded) return Failure(recorded.error());
      for (const metadata::UsedImage& image : *recorded) {
        if (!going_.contains(image.run_id)) used.insert(image.image_id);
      }
    }
    Result<std::vector<runner::ImageSummary>> there = search_.engine->list_images("mlpipe/");
    if (!there) {
      plan_.remarks.push_back("images stay: " + there.error().message);
      return {};
    }
    std::map<std::string, std::vector<const runner::ImageSummary*>> names;  // of each image, by the one it was built as
    for (const runner::ImageSummary& image : *there) {
      const std::string built = built_name(image.reference);
      if (!built.empty() && !used.contains(image.id)) names[built].push_back(&image);
    }
    for (const auto& [built, all] : names) {
      const std::string own = runner::hold_name(built, search_.root.path());
      const auto is_anothers = [&](const runner::ImageSummary* image) {
        return image->reference != built && image->reference != own;
      };
      const bool is_held = std::ranges::any_of(all, is_anothers) && !is_forgotten(built);
      for (const runner::ImageSummary* image : all) {
        if (is_held && image->reference != own) continue;
        const bool goes = image->reference == built;
        add({.kind = LeftoverKind::image,
             .name = image->reference,
             .id = image->id,
             .run = {},
             .bytes = goes ? image->bytes : 0});
      }
    }
    return {};
  }

 private:
  // Of "mlpipe/<component>:<12 hex>", or that and "-<8 hex>" (runner::hold_name()), the part before; else empty. The helper is
  // kept: the next task that needs it would build it again at once.
  static std::string built_name(const std::string& reference) {
    const std::size_t colon = reference.rfind(':');
    if (colon == std::string::npos || reference.starts_with("mlpipe/helper:")) return {};
    const std::size_t dash = std::min(reference.find('-', colon), reference.size());
    const auto is_hex = [](std::string_view text, std::size_t digits) {
      return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    };
    const std::string_view text = reference;
    if (!is_hex(text.substr(colon + 1, dash - colon - 1), 12)) return {};
    if (dash < text.size() && !is_hex(text.substr(dash + 1), 8)) return {};
    return reference.substr(0, dash);
  }

  // No root has used it for so long that those which hold it are taken for gone.
  bool is_forgotten(const std::string& image) const {
    const Result<runner::Image> now = search_.engine->inspect_image(image);
    return now && now->last_named && *now->last_named + k_forgotten < search_.now;
  }

  void stale(const fs::path& lock, const std::string& run) {
    if (sys::is_locked(lock)) return;
    add({.kind = LeftoverKind::lock, .name = lock.string(), .id = {}, .run = run, .bytes = 0});
  }

  std::uint64_t take(const fs::path& path) { return use_.take(use_.measure(path)); }
  void add(Leftover leftover) { plan_.leftovers.push_back(std::move(leftover)); }

  const LeftoverSearch& search_;
  DiskUse& use_;
  GcPlan& plan_;
  std::set<std::string, std::less<>> going_;
};

}  // namespace

std::string_view to_string(LeftoverKind kind) {
  switch (kind) {
    case LeftoverKind::container: return "container";
    case LeftoverKind::folder: return "folder";
    case LeftoverKind::payload: return "payload";
    case LeftoverKind::lock: return "lock";
    case LeftoverKind::trash: return "trash";
    case LeftoverKind::image: return "image";
    case LeftoverKind::secrets: return "secrets";
  }
  return "folder";
}

fs::path removal_mark(const fs::path& run_folder) { return run_folder / ".mlpipe" / "removed"; }

bool is_half_removed(const fs::path& run_folder) {
  std::error_code error;
  return fs::exists(removal_mark(run_folder), error);
}

Result<> find_leftovers(const LeftoverSearch& search, DiskUse& use, GcPlan& plan) {
  Search found(search, use, plan);
  found.containers();
  found.folders();
  if (Result<> read = found.payloads(); !read) return read;
  found.locks();
  found.trash();
  found.secrets();
  return found.images();
}

}  // namespace mlpipe::app
