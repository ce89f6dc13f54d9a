#include <fstream>

#include "listing_fixture.hpp"

namespace mlpipe::app {

void expect_golden(const std::string& name, std::string text, const artifact::Root& root) {
  for (std::size_t at = 0; (at = text.find(root.path().string(), at)) != std::string::npos;) {
    text.replace(at, root.path().string().size(), "<root>");
  }
  const std::filesystem::path file = std::filesystem::path(MLPIPE_GOLDEN_FOLDER) / name;
  if (std::getenv("MLPIPE_ACCEPT") != nullptr) std::ofstream(file, std::ios::binary) << text;
  EXPECT_EQ(test::slurp(file), text) << file;
}

}  // namespace mlpipe::app
