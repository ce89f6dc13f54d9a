#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "mlpipe/spec/reader.hpp"
#include "support/temp_dir.hpp"

// Whole files: those in accepted/ are read without a word, those in rejected/ give exactly the text beside them.
// MLPIPE_TEST_ACCEPT=1 writes that text anew.
namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

const fs::path k_fixtures = MLPIPE_SPEC_FIXTURES;

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(k_fixtures / folder)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(0, info.param.rfind(".yaml"));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

struct Outcome {
  bool accepted = false;
  std::string text;
};

Outcome read_fixture(const std::string& folder, const std::string& file) {
  fs::current_path(k_fixtures);  // names of files in messages do not depend on where the tests run
  Outcome outcome;
  if (file.ends_with(".component.yaml")) {
    Result<ReadComponent> read = read_component(fs::path(folder) / file);
    EXPECT_TRUE(read) << read.error().message;
    outcome = {read->component.has_value(), render(read->diagnostics, read->sources)};
  } else {
    std::string text = test::slurp(k_fixtures / folder / file);
    ReadPipeline read = read_pipeline_text(text, file, k_fixtures, {{k_fixtures / "components"}});
    outcome = {read.spec.has_value(), render(read.diagnostics, read.sources)};
  }
  for (std::size_t at = 0; (at = outcome.text.find(k_fixtures.string(), at)) != std::string::npos;) {
    outcome.text.replace(at, k_fixtures.string().size(), "<fixtures>");
  }
  return outcome;
}

class Accepted : public testing::TestWithParam<std::string> {};
TEST_P(Accepted, IsReadWithoutAWord) {
  Outcome outcome = read_fixture("accepted", GetParam());
  EXPECT_TRUE(outcome.accepted);
  EXPECT_EQ(outcome.text, "");
}
INSTANTIATE_TEST_SUITE_P(Fixtures, Accepted, testing::ValuesIn(files_in("accepted")), test_name);

class Rejected : public testing::TestWithParam<std::string> {};
TEST_P(Rejected, SaysExactlyWhatIsWrong) {
  Outcome outcome = read_fixture("rejected", GetParam());
  EXPECT_FALSE(outcome.accepted);
  EXPECT_NE(outcome.text.find("error: "), std::string::npos);
  fs::path expected = k_fixtures / "rejected" / (GetParam().substr(0, GetParam().rfind(".yaml")) + ".expected");
  if (std::getenv("MLPIPE_TEST_ACCEPT") != nullptr) std::ofstream(expected, std::ios::binary) << outcome.text;
  EXPECT_EQ(outcome.text, test::slurp(expected));
}
INSTANTIATE_TEST_SUITE_P(Fixtures, Rejected, testing::ValuesIn(files_in("rejected")), test_name);

}  // namespace
}  // namespace mlpipe::spec
