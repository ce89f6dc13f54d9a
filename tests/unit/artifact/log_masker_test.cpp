#include "artifact/log_masker.hpp"

#include <gtest/gtest.h>

#include <random>

#include "mlpipe/artifact/log_file.hpp"

namespace mlpipe::artifact {
namespace {

// The text given in pieces of `size` bytes.
std::string masked(const std::vector<std::string>& secrets, std::string_view text, std::size_t size) {
  LogMasker masker(secrets);
  std::string result;
  for (std::size_t at = 0; at < text.size(); at += size) result += masker.pass(text.substr(at, size));
  result += masker.finish();
  return result;
}

void expect_masked(const std::vector<std::string>& secrets, std::string_view text, std::string_view expected) {
  for (std::size_t size = 1; size <= text.size() + 1; ++size) {
    EXPECT_EQ(masked(secrets, text, size), expected) << "in pieces of " << size;
  }
}

TEST(LogMasker, PassesEverythingWithoutSecrets) { expect_masked({}, "plain\n", "plain\n"); }

TEST(LogMasker, ReplacesSecretsHoweverTheyAreCut) {
  expect_masked({"hunter2"}, "password=hunter2\n", "password=***\n");
  expect_masked({"hunter2"}, "hunter2hunter2", "******");
  expect_masked({"hunter2"}, "hunterhunter2 hunter", "hunter*** hunter");
  expect_masked({"aab"}, "aaaab", "aa***");
}

TEST(LogMasker, PrefersTheLongestSecret) {
  expect_masked({"abc", "abcdef"}, "abcdef abcde abc", "*** ***de ***");
  expect_masked({"ab", "abcd"}, "abcab", "***c***");
}

TEST(LogMasker, IgnoresEmptySecretsAndLineEnds) {
  expect_masked({"", "\n"}, "a\n\n", "a\n\n");
  expect_masked({"key\n"}, "the key is", "the *** is");
}

TEST(LogMasker, KnowsSecretsAsJsonSpellsThem) {
  expect_masked({"a\"b\\c"}, R"({"key":"a\"b\\c"} and a"b\c)", R"({"key":"***"} and ***)");
  EXPECT_EQ(mask_secrets(R"(got "x\ny" for x)", {"x\ny\n"}), R"(got "***" for x)");
}

TEST(LogMasker, TakesBinarySecrets) {
  expect_masked({std::string("\0\xff\x01", 3)}, std::string_view("a\0\xff\x01z\0\xff", 7),
                std::string_view("a***z\0\xff", 7));
}

TEST(LogMasker, HoldsBackOnlyWhatMayBeginASecret) {
  LogMasker masker({"hunter2"});
  EXPECT_EQ(masker.pass("loss=0.5 h"), "loss=0.5 ");
  EXPECT_EQ(masker.pass("ello"), "hello");
}

TEST(LogMasker, WhatAMessageLeavesOfASecretIsMaskedToo) {
  const std::vector<std::string> secrets{"correct horse battery staple"};
  EXPECT_EQ(mask_secrets("got \"correct horse batt…\"", secrets), "got \"***…\"");
  EXPECT_EQ(mask_secrets("got \"it is cor…\" and \"co…\"", secrets), "got \"it is ***…\" and \"***…\"");
  EXPECT_EQ(mask_secrets("correct horse battery staple, correct", secrets), "***, correct");
  EXPECT_EQ(mask_secrets("correct horses are no secret…", secrets), "correct horses are no secret…");
}

TEST(LogMasker, LongerLinesOfASecretOfSeveralAreSecretsToo) {
  const std::vector<std::string> key{"{\n  \"key\": \"abcdefgh\"\n}\n-----BEGIN-----"};
  expect_masked(key, "see \"key\": \"abcdefgh\"!\n{}", "see ***!\n{}");
  expect_masked(key, key.front() + "\n", "***\n");
}

TEST(LogMasker, NeverLetsASecretThroughRandomPieces) {
  std::mt19937 random(7);
  const std::vector<std::string> secrets{"aba", "abba", "bb"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += static_cast<char>('a' + random() % 3);
    const std::string whole = masked(secrets, text, text.size());
    for (const std::string& secret : secrets) EXPECT_EQ(whole.find(secret), std::string::npos) << text;
    EXPECT_EQ(masked(secrets, text, 1 + random() % 7), whole) << text;
  }
}

}  // namespace
}  // namespace mlpipe::artifact
