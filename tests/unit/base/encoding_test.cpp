#include <gtest/gtest.h>

#include <random>

#include "mlpipe/base/sha256.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, GivesTheKnownDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheDigestOfTheWhole) {
  std::string text(100'003, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31);
  Sha256 hash;
  for (std::size_t at = 0, size = 0; at < text.size(); at += size, ++size)
    hash.update(std::string_view(text).substr(at, size));
  EXPECT_EQ(hash.finish_hex(), sha256_hex(text));
}

// RFC 4648, section 10.
TEST(Base64, GivesTheKnownTexts) {
  struct Case {
    std::string bytes;
    std::string text;
  };
  for (const Case& c : {Case{"", ""}, Case{"f", "Zg=="}, Case{"fo", "Zm8="}, Case{"foo", "Zm9v"},
                        Case{"foob", "Zm9vYg=="}, Case{"fooba", "Zm9vYmE="}, Case{"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(to_base64(c.bytes), c.text);
    EXPECT_EQ(from_base64(c.text), c.bytes);
  }
  EXPECT_EQ(to_base64("\xfb\xff\xfe"), "+//+");
  EXPECT_EQ(to_base64_url("\xfb\xff\xfe"), "-__-");
  EXPECT_EQ(to_base64_url("\xff"), "_w==");
}

TEST(Base64, ReadsBothAlphabetsAndMissingPadding) {
  EXPECT_EQ(from_base64("+//+"), "\xfb\xff\xfe");
  EXPECT_EQ(from_base64("-__-"), "\xfb\xff\xfe");
  EXPECT_EQ(from_base64("Zg"), "f");
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (std::string_view text : {"Z", "Zm9vY", "Zg===", "Zg=a", "Zm 9v", "Zm9v\n", "Zm9*", "===", "\xff\xff\xff\xff"}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

TEST(Base64, RandomBytesReadBack) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    ASSERT_EQ(from_base64(to_base64(bytes)), bytes);
    ASSERT_EQ(from_base64(to_base64_url(bytes)), bytes);
  }
}

}  // namespace
}  // namespace mlpipe
