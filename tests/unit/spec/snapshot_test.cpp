#include <gtest/gtest.h>

#include "mlpipe/spec/reader.hpp"
#include "support/temp_dir.hpp"

// Reading from texts that were kept, whatever the disk says now.
namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

const std::string k_component = "name: Kept\nimplementation: {container: {image: kept, command: [x]}}\n";
const std::string k_other = "name: Other\nimplementation: {container: {image: other, command: [x]}}\n";

std::string pipeline(const std::string& component) { return "name: p\ntasks: {a: {component: " + component + "}}\n"; }

std::string problems(const ReadPipeline& read) { return render(read.diagnostics, read.sources); }

// The image of the pipeline's first task; what is wrong when it could not be read.
std::string image_of(const ReadPipeline& read) {
  if (!read.spec) return problems(read);
  const ContainerSpec* container = read.spec->component(read.spec->root_dag().tasks.front().component).container();
  return std::get<std::string>(container->image.parts.front());
}

class Snapshot : public testing::Test {
 protected:
  fs::path file(const std::string& name) const { return folder_.path() / name; }
  SourceFile kept(const std::string& name, const std::string& text) const { return {name, text, file(name).string()}; }
  ReadPipeline read(const std::string& name = "p.yaml") {
    options_.snapshot = &snapshot_;
    Result<ReadPipeline> read = read_pipeline(file(name), options_);
    EXPECT_TRUE(read) << read.error().message;
    return read ? *std::move(read) : ReadPipeline{};
  }

  test::TempDir folder_;
  std::vector<SourceFile> snapshot_;
  ReadOptions options_;
};

TEST_F(Snapshot, EveryFileThatIsReadTellsItsPath) {
  folder_.write("components/x/component.yaml", k_component);
  folder_.write("p.yaml", pipeline("./components/../components/x/"));
  Result<ReadPipeline> read = read_pipeline(file("components/../p.yaml"), {});
  ASSERT_TRUE(read->spec) << problems(*read);
  ASSERT_EQ(read->sources.size(), 2U);
  EXPECT_EQ(read->sources[0].path, file("p.yaml").string());
  EXPECT_EQ(read->sources[1].path, file("components/x/component.yaml").string());
  EXPECT_EQ(read->spec->sources[1].path, read->sources[1].path);
  EXPECT_EQ(read_component(file("components/x"))->sources[0].path, file("components/x/component.yaml").string());
}

TEST_F(Snapshot, TextThatIsInNoFileHasNoPath) {
  EXPECT_EQ(read_pipeline_text("name: p\ntasks: {a: {image: x}}\n", "p.yaml", folder_.path(), {}).sources[0].path, "");
}

TEST_F(Snapshot, PipelineAndComponentAreReadThoughTheFolderIsGone) {
  snapshot_ = {kept("p.yaml", pipeline("components/x")), kept("components/x/component.yaml", k_component)};
  EXPECT_EQ(image_of(read()), "kept");
}

TEST_F(Snapshot, AComponentNamedByItsFileIsFound) {
  snapshot_ = {kept("p.yaml", pipeline("components/../x.yaml")), kept("x.yaml", k_component)};
  EXPECT_EQ(image_of(read()), "kept");
}

TEST_F(Snapshot, ComesBeforeTheDisk) {
  folder_.write("p.yaml", pipeline("nothing"));
  folder_.write("components/x/component.yaml", k_other);
  snapshot_ = {kept("p.yaml", pipeline("components/x")), kept("components/x/component.yaml", k_component)};
  EXPECT_EQ(image_of(read()), "kept");
}

TEST_F(Snapshot, ComesBeforeANewFileInThePlaceOfTheFolder) {
  folder_.write("components/x", k_other);
  snapshot_ = {kept("p.yaml", pipeline("components/x")), kept("components/x/component.yaml", k_component)};
  EXPECT_EQ(image_of(read()), "kept");
}

TEST_F(Snapshot, OfTheComponentPathComesBeforeANewComponentBesideThePipeline) {
  folder_.write("x/component.yaml", k_other);
  options_.component_path = {file("library")};
  snapshot_ = {kept("p.yaml", pipeline("x")), kept("library/x/component.yaml", k_component)};
  EXPECT_EQ(image_of(read()), "kept");
}

TEST_F(Snapshot, WhatItDoesNotHaveIsReadFromTheDisk) {
  folder_.write("components/x/component.yaml", k_other);
  snapshot_ = {kept("p.yaml", pipeline("components/x"))};
  EXPECT_EQ(image_of(read()), "other");
}

TEST_F(Snapshot, ATextWithoutAPathIsNotFound) {
  snapshot_ = {{"p.yaml", "name: p\ntasks: {}\n", ""}};
  options_.snapshot = &snapshot_;
  EXPECT_FALSE(read_pipeline(file("p.yaml"), options_));
}

TEST_F(Snapshot, AComponentMayBuildAFolderThatIsGone) {
  snapshot_ = {kept("p.yaml", pipeline("x")),
               kept("x/component.yaml", "implementation: {container: {build: ., command: [x]}}\n")};
  ReadPipeline result = read();
  ASSERT_TRUE(result.spec) << problems(result);
  EXPECT_EQ(result.spec->component(result.spec->root_dag().tasks.front().component).container()->build_context,
            file("x"));
}

TEST_F(Snapshot, AMistakeInAKeptTextIsShownWithItsLine) {
  snapshot_ = {kept("p.yaml", "name: p\ntasks: {a: {imaeg: x}}\n")};
  EXPECT_NE(problems(read()).find("p.yaml:2:13: error: unknown key `imaeg`"), std::string::npos);
}

}  // namespace
}  // namespace mlpipe::spec
