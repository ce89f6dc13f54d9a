#include "app/root.hpp"

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

Result<fs::path> absolute_root(const std::string& text, const std::string& source, const fs::path& base) {
  if (text.find("://") != std::string::npos) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("pipeline root {} ({}): only folders of this machine can be roots", text, source),
                          "name a folder with --root, MLPIPE_ROOT or `root:`");
  }
  std::error_code error;
  fs::path path =
      fs::path(text).is_absolute() ? fs::path(text) : fs::absolute(base.empty() ? fs::path(".") : base, error) / text;
  if (error) return fail(ErrorCode::io, "pipeline root {} ({}): {}", text, source, error.message());
  path = path.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  // A root behind a link is known by its real name: containers see that one.
  fs::path real = fs::weakly_canonical(path, error);
  return error ? path : real;
}

}  // namespace

Result<fs::path> resolve_root(const std::string& said, const std::string& of_spec, const fs::path& spec_folder) {
  if (!said.empty()) return absolute_root(said, "--root", ".");
  if (std::optional<std::string> from_environment = sys::environment("MLPIPE_ROOT");
      from_environment && !from_environment->empty()) {
    return absolute_root(*from_environment, "MLPIPE_ROOT", ".");
  }
  if (!of_spec.empty()) return absolute_root(of_spec, "root: of the pipeline", spec_folder);
  return absolute_root("pipeline-root", "the default", ".");
}

Result<fs::path> resolve_root(const std::string& said) { return resolve_root(said, "", "."); }

std::string root_option(const std::string& said, const fs::path& root) {
  const Result<fs::path> unsaid = resolve_root("");
  if (unsaid && *unsaid == root) return {};
  return "--root " + shell_quoted(said.empty() ? root.string() : said);
}

}  // namespace mlpipe::app
