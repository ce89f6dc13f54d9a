#include "runner/helper_image.hpp"

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string_view>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/sys/file.hpp"

// The helper program as bytes of this binary.
extern "C" {
extern const char mlpipe_helper_begin[];
extern const char mlpipe_helper_end[];
}
asm(".section .rodata\n"
    ".global mlpipe_helper_begin\n"
    "mlpipe_helper_begin:\n"
    ".incbin \"" MLPIPE_HELPER_FILE
    "\"\n"
    ".global mlpipe_helper_end\n"
    "mlpipe_helper_end:\n"
    ".byte 0\n"
    ".previous\n");

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

std::string_view helper_program() {
  return {mlpipe_helper_begin, static_cast<std::size_t>(mlpipe_helper_end - mlpipe_helper_begin)};
}

Result<Image> build_helper_image(ContainerEngine& engine, const std::string& tag) {
  std::string folder = (fs::temp_directory_path() / "mlpipe-helper-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail_errno("making " + folder, errno);
  auto build = [&]() -> Result<Image> {
    fs::path program = fs::path(folder) / "helper";
    if (auto written = sys::write_file_atomically(program, helper_program(), sys::Durable::no); !written) {
      return Failure(written.error());
    }
    fs::permissions(program, fs::perms(0755));
    std::string_view recipe = "FROM scratch\nCOPY helper /helper\nENTRYPOINT [\"/helper\"]\nCMD [\"pause\"]\n";
    if (auto written = sys::write_file_atomically(fs::path(folder) / "Dockerfile", recipe, sys::Durable::no);
        !written) {
      return Failure(written.error());
    }
    sys::StopSignal never;
    return engine.build_image(
        {.context = folder, .tag = tag}, [](std::string_view) {}, never);
  };
  Result<Image> image = build();
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return image;
}

}  // namespace

Result<std::string> helper_image(ContainerEngine& engine) {
  std::string tag = "mlpipe/helper:" + sha256_hex(helper_program()).substr(0, 12);
  Result<Image> image = engine.inspect_image(tag);
  if (!image && image.error().code == ErrorCode::not_found) image = build_helper_image(engine, tag);
  if (!image) return within("the helper image", image.error());
  return image->id;
}

}  // namespace mlpipe::runner
