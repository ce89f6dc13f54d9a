#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/plan/plan.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::runner {

struct PreparedImages {
  std::map<std::string, Image> by_key;         // RunContext::images
  std::map<std::string, std::string> tags;     // key -> the reference it has in the engine
  std::map<std::string, std::string> made_of;  // of those that are built: what they are made of (build_changes())
  std::map<plan::TaskId, std::string> named;   // the key of tasks whose inputs, known beforehand, say which image it is
};

// The reference of the image of `task`, which runs in a container and is not built: with ${{ }} only if that is not known yet.
std::string image_reference(const plan::Plan& plan, plan::TaskId task);

// One image, as `pull` says. Errors: not_found when it is not there and may not be pulled, and those of ContainerEngine.
Result<Image> find_or_pull(const std::string& reference, spec::PullPolicy pull, ContainerEngine& engine,
                           const ProgressSink& progress, const sys::StopSignal& stop);

// Sees to it that the engine has every image the selected tasks name: built, pulled or there already, each resolved once.
// Several at a time; all that fail are told of in one Error, before any task ran. `progress` is called by one thread at
// a time. Images named by what another task gives are left to the attempts.
Result<PreparedImages> prepare_images(const plan::Plan& plan, ContainerEngine& engine, const ProgressSink& progress,
                                      const sys::StopSignal& stop);

// An image as an earlier run had it.
struct PinnedImage {
  std::string id;
  std::string digest;  // empty: it came from no registry
};

// The same images as an earlier run had: those in `pins`, by the key they have in PreparedImages, and no others. One that
// is gone is pulled by its digest, or built anew; it is an Error when that gives another image, or cannot be done.
Result<PreparedImages> restore_images(const plan::Plan& plan, const std::map<std::string, PinnedImage>& pins,
                                      ContainerEngine& engine, const ProgressSink& progress,
                                      const sys::StopSignal& stop);

// The name by which the root at `root` holds on to `tag`, an image that mlpipe built ("mlpipe/<component>:<12 hex>"): gc of
// another root leaves it then.
std::string hold_name(const std::string& tag, const std::filesystem::path& root);
// Holds on to those of `images` that were built. One that cannot be named so is in danger of another root's gc, no more.
void hold_images(const PreparedImages& images, const std::filesystem::path& root, ContainerEngine& engine);

// What says of an image, without the plan, which it is.
struct ImageSource {
  std::string key;              // as in PreparedImages
  std::string component = {};   // of one that is built from the folder `key`: the component it is built for
  bool is_pulled_anew = false;  // before every run
};

// Of the images that the selected tasks name; nothing when one of them hangs on what another task gives.
std::optional<std::vector<ImageSource>> image_sources(const plan::Plan& plan);

// The image that `source` stands for now; not_found when the engine does not have it. None is pulled or built; what one that
// is built would be made of is read.
Result<Image> find_image(const ImageSource& source, ContainerEngine& engine);

struct FoundImages {
  std::map<std::string, Image> by_key;        // RunContext::images
  std::map<std::string, std::string> absent;  // key -> why its id is not known
  std::set<std::string> pulled_anew;          // keys of those that are there, but would be pulled before they are used
};

// Which of these images the engine has now; none is pulled or built. What those that are built would be made of is read.
// Null: no engine answers.
FoundImages find_images(const plan::Plan& plan, ContainerEngine* engine);

}  // namespace mlpipe::runner
