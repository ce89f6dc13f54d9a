#include "mlpipe/runner/images.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <mutex>
#include <thread>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/foresight.hpp"
#include "mlpipe/runner/build_context.hpp"
#include "mlpipe/sys/file.hpp"
#include "runner/attempt.hpp"
#include "runner/image_problem.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_parallel_images = 4;
constexpr std::uint64_t k_max_dockerfile_bytes = 1U << 20U;

struct Wanted {
  std::string key;  // image as written, or build folder
  std::string component;
  fs::path build_context;
  spec::PullPolicy pull = spec::PullPolicy::missing;
  ImageUse use = {};
};

// image_key(), as far as it is known before anything runs.
Result<std::string> key_beforehand(const plan::Plan& plan, plan::TaskId task) {
  const spec::ComponentSpec& component = plan.component(task);
  const bool hangs_on_inputs =
      component.container()->build_context.empty() && !component.container()->image.is_literal();
  return image_key(component, hangs_on_inputs ? engine::inputs_known_beforehand(plan, task) : engine::TaskData());
}

std::vector<Wanted> wanted_images(const plan::Plan& plan) {
  std::map<std::string, Wanted> wanted;
  for (plan::TaskId id : plan.order()) {
    const spec::ContainerSpec* container = plan.component(id).container();
    if (container == nullptr || !plan.selected(id)) continue;
    Result<std::string> key = key_beforehand(plan, id);
    if (!key) continue;  // left to the attempt
    auto [entry, fresh] = wanted.try_emplace(*key);
    if (fresh)
      entry->second = {.key = *key, .component = plan.component(id).name, .build_context = container->build_context};
    if (fresh) entry->second.use.where = container->image_where;
    entry->second.use.tasks.emplace_back(plan.task(id).path());
    spec::PullPolicy pull = plan.task(id).spec->settings->pull;
    if (pull != spec::PullPolicy::missing) entry->second.pull = pull;
  }
  std::vector<Wanted> list;
  for (auto& [key, image] : wanted) list.push_back(std::move(image));
  return list;
}

// The images that a Dockerfile starts from: when one of them changes, what is built on it has changed too.
std::vector<std::string> base_images(const fs::path& context) {
  std::vector<std::string> bases;
  Result<std::string> text = sys::read_file(context / "Dockerfile", k_max_dockerfile_bytes);
  if (!text) return bases;
  for (std::string_view line : split(*text, '\n')) {
    std::vector<std::string_view> words;
    for (std::string_view word : split(trim(line), ' ')) {
      if (!word.empty() && !word.starts_with("--")) words.push_back(word);
    }
    if (words.size() >= 2 && to_lower(words[0]) == "from" && words[1].find('$') == std::string_view::npos) {
      bases.emplace_back(words[1]);
    }
  }
  return bases;
}

// A repository name as Docker allows it: lower case, digits, separators inside.
std::string repository_name(std::string_view component) {
  std::string name;
  for (char c : to_lower(component)) {
    bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (plain) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "component" : name;
}

// What a folder of thousands of files is made of is not kept.
constexpr std::size_t k_longest_made_of = 256U << 10U;

struct Prepared {
  std::string tag;
  Image image;
  std::string made_of = {};
};

// What the image built from the folder as it is now would be.
struct Recipe {
  std::string tag;
  std::string made_of;  // PreparedImages::made_of
};

Result<Recipe> recipe_of(const std::string& component, const fs::path& folder, ContainerEngine& engine) {
  Result<BuildContext> context = read_build_context(folder);
  if (!context) return within("building the image of component " + component, context.error());
  std::string counts = context->digest;
  Recipe recipe;
  for (const std::string& base : base_images(folder)) {
    Result<Image> image = engine.inspect_image(base);
    const std::string id = image ? image->id : std::string("absent");
    counts += "\n" + base + " " + id;
    recipe.made_of += fmt::format("from {} {}\n", printable(base), id);
  }
  recipe.made_of += context->files;
  if (recipe.made_of.size() > k_longest_made_of) recipe.made_of.clear();
  recipe.tag = fmt::format("mlpipe/{}:{}", repository_name(component), sha256_hex(counts).substr(0, 12));
  return recipe;
}

Result<Prepared> build(const Wanted& wanted, ContainerEngine& engine, const ProgressSink& progress,
                       const sys::StopSignal& stop) {
  Result<Recipe> recipe = recipe_of(wanted.component, wanted.build_context, engine);
  if (!recipe) return Failure(std::move(recipe).error());
  const std::string& tag = recipe->tag;
  Result<Image> image = engine.inspect_image(tag);
  if (!image && image.error().code == ErrorCode::not_found) {
    progress(fmt::format("building {} from {}", tag, wanted.build_context.string()));
    // Of what the engine prints, the steps are worth a line; when the build fails its last words are in the Error.
    auto steps = [&progress, &tag](std::string_view line) {
      if (line.starts_with("Step ")) progress(fmt::format("{}: {}", tag, line));
    };
    image = engine.build_image({.context = wanted.build_context, .tag = tag}, steps, stop);
  }
  if (!image) return within("building the image of component " + wanted.component, image.error());
  return Prepared{tag, std::move(*image), std::move(recipe->made_of)};
}

Result<Prepared> restore(const Wanted& wanted, const PinnedImage& pin, ContainerEngine& engine,
                         const ProgressSink& progress, const sys::StopSignal& stop) {
  Result<Image> image = engine.inspect_image(pin.id);
  if (!image && image.error().code != ErrorCode::not_found) return Failure(image.error());
  if (image) {
    image->digest = pin.digest;
    return Prepared{wanted.key, std::move(*image)};
  }
  const std::string gone = fmt::format("image {} as the run had it ({}) is gone", wanted.key, pin.id);
  std::string what = "pulling " + pin.digest;
  if (!pin.digest.empty()) {
    progress(what);
    image = engine.pull_image(pin.digest, progress, stop);
  } else if (!wanted.build_context.empty()) {
    what = "building it anew from " + wanted.build_context.string();
    Result<Prepared> built = build(wanted, engine, progress, stop);
    image = built ? Result<Image>(std::move(built->image)) : Failure(built.error());
  } else {
    return fail_with_hint(ErrorCode::not_found, gone + ", and it came from no registry",
                          "bring it back (`docker load`), or start a new run with what there is now");
  }
  if (!image) return within(fmt::format("{}: {}", gone, what), image.error());
  if (image->id != pin.id) {
    return fail_with_hint(ErrorCode::not_found, fmt::format("{}, and {} gives another one, {}", gone, what, image->id),
                          "bring it back (`docker load`), or start a new run with what there is now");
  }
  return Prepared{wanted.key, std::move(*image)};
}

Result<Prepared> find(const Wanted& wanted, ContainerEngine& engine, const ProgressSink& progress,
                      const sys::StopSignal& stop) {
  Result<Image> image = find_or_pull(wanted.key, wanted.pull, engine, progress, stop);
  if (!image) return Failure(std::move(image).error());
  return Prepared{wanted.key, std::move(*image)};
}

Result<Prepared> prepare(const Wanted& wanted, ContainerEngine& engine, const spec::PipelineSpec& spec,
                         const ProgressSink& progress, const sys::StopSignal& stop) {
  const bool is_built = !wanted.build_context.empty();
  Result<Prepared> prepared = is_built ? build(wanted, engine, progress, stop) : find(wanted, engine, progress, stop);
  if (prepared) return prepared;
  Error error = std::move(prepared).error();
  if (!is_built) error = hint_at_near_image(std::move(error), wanted.key, engine);
  return Failure(place_problem(std::move(error), wanted.use, spec));
}

using PrepareOne = std::function<Result<Prepared>(const Wanted&, const ProgressSink&)>;

// Several at a time; all that fail are told of together.
Result<PreparedImages> prepare_all(const std::vector<Wanted>& wanted, const PrepareOne& prepare_one,
                                   const ProgressSink& progress, const sys::StopSignal& stop) {
  std::vector<Result<Prepared>> prepared(wanted.size(), fail(ErrorCode::cancelled, "not prepared"));
  std::atomic<std::size_t> next{0};
  std::mutex progress_mutex;
  ProgressSink one_at_a_time = [&](std::string_view line) {
    std::lock_guard lock(progress_mutex);
    progress(line);
  };
  auto work = [&] {
    for (std::size_t i = next++; i < wanted.size() && !stop.requested(); i = next++) {
      prepared[i] = prepare_one(wanted[i], one_at_a_time);
    }
  };
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 1; i < std::min(k_parallel_images, wanted.size()); ++i) workers.emplace_back(work);
    work();
  }
  if (stop.requested()) return fail(ErrorCode::cancelled, "interrupted while preparing images");

  PreparedImages images;
  std::vector<Error> errors;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!prepared[i]) {
      errors.push_back(prepared[i].error());
      continue;
    }
    images.tags.emplace(wanted[i].key, prepared[i]->tag);
    if (!prepared[i]->made_of.empty()) images.made_of.emplace(wanted[i].key, std::move(prepared[i]->made_of));
    images.by_key.emplace(wanted[i].key, std::move(prepared[i]->image));
  }
  if (errors.empty()) return images;
  Error all = errors.front();
  for (std::size_t i = 1; i < errors.size(); ++i) {
    // Each with its own hint, unless it is the same again.
    if (!all.hint.empty() && all.hint != errors[i].hint) all.message += "\n  hint: " + all.hint;
    all.message += "\n" + errors[i].message;
    all.hint = errors[i].hint;
  }
  return Failure(std::move(all));
}

// Of tasks whose component leaves it to an input which image it is.
std::map<plan::TaskId, std::string> named_images(const plan::Plan& plan) {
  std::map<plan::TaskId, std::string> named;
  for (plan::TaskId id : plan.order()) {
    const spec::ContainerSpec* container = plan.component(id).container();
    if (container == nullptr || !container->build_context.empty() || container->image.is_literal()) continue;
    Result<std::string> key = key_beforehand(plan, id);
    if (key) named.emplace(id, std::move(*key));
  }
  return named;
}

ImageSource source_of(const Wanted& wanted) {
  const bool is_built = !wanted.build_context.empty();
  return {.key = wanted.key,
          .component = is_built ? wanted.component : "",
          .is_pulled_anew = !is_built && wanted.pull == spec::PullPolicy::always};
}

std::string why_unbuilt(const Wanted& wanted, ContainerEngine& engine) {
  const Result<std::vector<ImageSummary>> before =
      engine.list_images(fmt::format("mlpipe/{}:", repository_name(wanted.component)));
  if (!before || before->empty()) return "its image is not built yet";
  return fmt::format("its image is to be built anew: {} changed, or the image it starts from",
                     wanted.build_context.filename().string());
}

}  // namespace

std::string image_reference(const plan::Plan& plan, plan::TaskId task) {
  Result<std::string> known = key_beforehand(plan, task);
  return known ? *std::move(known) : plan.component(task).container()->image.text();
}

Result<Image> find_or_pull(const std::string& reference, spec::PullPolicy pull, ContainerEngine& engine,
                           const ProgressSink& progress, const sys::StopSignal& stop) {
  Result<Image> image = fail(ErrorCode::not_found, "not asked for");
  if (pull != spec::PullPolicy::always) image = engine.inspect_image(reference);
  if (image || image.error().code != ErrorCode::not_found) return image;
  if (pull == spec::PullPolicy::never) {
    return fail_with_hint(ErrorCode::not_found,
                          fmt::format("image {} is not there, and `pull: never` forbids to fetch it", reference),
                          "pull or build it first, or drop `pull: never`");
  }
  progress("pulling " + reference);
  return engine.pull_image(reference, progress, stop);
}

Result<PreparedImages> prepare_images(const plan::Plan& plan, ContainerEngine& engine, const ProgressSink& progress,
                                      const sys::StopSignal& stop) {
  const auto prepare_one = [&](const Wanted& wanted, const ProgressSink& sink) {
    return prepare(wanted, engine, plan.spec(), sink, stop);
  };
  Result<PreparedImages> images = prepare_all(wanted_images(plan), prepare_one, progress, stop);
  if (images) images->named = named_images(plan);
  return images;
}

Result<PreparedImages> restore_images(const plan::Plan& plan, const std::map<std::string, PinnedImage>& pins,
                                      ContainerEngine& engine, const ProgressSink& progress,
                                      const sys::StopSignal& stop) {
  std::vector<Wanted> wanted = wanted_images(plan);
  std::erase_if(wanted, [&](const Wanted& image) { return !pins.contains(image.key); });
  const auto restore_one = [&](const Wanted& image, const ProgressSink& sink) {
    return restore(image, pins.at(image.key), engine, sink, stop);
  };
  Result<PreparedImages> images = prepare_all(wanted, restore_one, progress, stop);
  if (images) images->named = named_images(plan);
  return images;
}

std::string hold_name(const std::string& tag, const fs::path& root) {
  constexpr std::size_t k_digits = 8;
  return tag + "-" + sha256_hex(root.string()).substr(0, k_digits);
}

void hold_images(const PreparedImages& images, const fs::path& root, ContainerEngine& engine) {
  for (const auto& [key, tag] : images.tags) {
    if (tag != key) (void)engine.name_image(tag, hold_name(tag, root));
  }
}

std::optional<std::vector<ImageSource>> image_sources(const plan::Plan& plan) {
  const auto is_unknown = [&plan](plan::TaskId id) {
    return plan.selected(id) && plan.component(id).container() != nullptr && !key_beforehand(plan, id);
  };
  if (std::ranges::any_of(plan.order(), is_unknown)) return std::nullopt;
  std::vector<ImageSource> sources;
  for (Wanted& wanted : wanted_images(plan)) sources.push_back(source_of(wanted));
  return sources;
}

Result<Image> find_image(const ImageSource& source, ContainerEngine& engine) {
  if (source.component.empty()) return engine.inspect_image(source.key);
  Result<Recipe> recipe = recipe_of(source.component, source.key, engine);
  return recipe ? engine.inspect_image(recipe->tag) : Failure(recipe.error());
}

FoundImages find_images(const plan::Plan& plan, ContainerEngine* engine) {
  FoundImages found;
  for (const Wanted& wanted : wanted_images(plan)) {
    if (engine == nullptr) {
      found.absent.emplace(wanted.key, "no container engine answers, so its image is not known");
      continue;
    }
    const bool is_built = !wanted.build_context.empty();
    const ImageSource source = source_of(wanted);
    Result<Image> image = find_image(source, *engine);
    if (image) {
      found.by_key.emplace(wanted.key, std::move(*image));
      if (source.is_pulled_anew) found.pulled_anew.insert(wanted.key);
    } else if (image.error().code == ErrorCode::not_found) {
      found.absent.emplace(wanted.key, is_built ? why_unbuilt(wanted, *engine) : "its image is not here yet");
    } else {
      found.absent.emplace(wanted.key, "its image is not known: " + image.error().message);
    }
  }
  return found;
}

}  // namespace mlpipe::runner
