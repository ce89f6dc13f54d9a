#include "runner/docker/response_parser.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mlpipe::runner::docker {
namespace {

constexpr std::string_view k_chunked =
    "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: "
    "chunked\r\n\r\n4\r\nabcd\r\nb\r\nefghijklmno\r\n0\r\n\r\n";

TEST(ResponseParser, EverySplitOfAChunkedAnswerGivesTheSame) {
  for (std::size_t cut = 0; cut <= k_chunked.size(); ++cut) {
    ResponseParser parser(ResponseParser::Kind::plain);
    std::string body;
    const BodySink sink = [&](std::string_view piece) { body += piece; };
    ASSERT_TRUE(parser.feed(k_chunked.substr(0, cut), sink));
    ASSERT_TRUE(parser.feed(k_chunked.substr(cut), sink));
    ASSERT_TRUE(parser.done()) << cut;
    ASSERT_EQ(parser.status(), 200);
    ASSERT_EQ(parser.header("api-version"), "1.41");
    ASSERT_EQ(body, "abcdefghijklmno");
    ASSERT_TRUE(parser.keep_alive());
  }
}

TEST(ResponseParser, EndAtEveryPlaceIsDoneOrCutShort) {
  for (std::size_t cut = 0; cut < k_chunked.size(); ++cut) {
    ResponseParser parser(ResponseParser::Kind::plain);
    ASSERT_TRUE(parser.feed(k_chunked.substr(0, cut), {}));
    const Result<> finished = parser.finish();
    ASSERT_FALSE(finished);
    ASSERT_EQ(finished.error().code, ErrorCode::unavailable);
  }
}

TEST(ResponseParser, AHijackedAnswerLeavesWhatFollowsForEverySplit) {
  const std::string answer =
      "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\1\0raw \r\n\r\n bytes";
  const std::size_t head = answer.find("\r\n\r\n") + 4;
  for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
    ResponseParser parser(ResponseParser::Kind::hijacked);
    ASSERT_TRUE(parser.feed(std::string_view(answer).substr(0, cut), {}));
    ASSERT_TRUE(parser.feed(std::string_view(answer).substr(cut), {}));
    ASSERT_TRUE(parser.done());
    ASSERT_EQ(parser.take_leftover(), answer.substr(head));
  }
}

TEST(ResponseParser, AnAnswerThatMayHaveNoBodyIsDoneAtItsHead) {
  for (const int status : {204, 304}) {
    ResponseParser parser(ResponseParser::Kind::plain);
    ASSERT_TRUE(parser.feed(fmt::format("HTTP/1.1 {} X\r\n\r\n", status), {}));
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(parser.status(), status);
  }
}

TEST(ResponseParser, AnEndlessHeaderIsRefused) {
  ResponseParser parser(ResponseParser::Kind::plain);
  ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\n", {}));
  Result<> fed;
  for (int i = 0; fed && i < 1000; ++i) fed = parser.feed("X-Long: " + std::string(1000, 'y') + "\r\n", {});
  EXPECT_FALSE(fed);
}

TEST(ResponseParser, AnEndlessChunkLineIsRefused) {
  ResponseParser parser(ResponseParser::Kind::plain);
  ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", {}));
  Result<> fed;
  for (int i = 0; fed && i < 1000; ++i) fed = parser.feed(std::string(1000, 'e'), {});
  EXPECT_FALSE(fed);
}

}  // namespace
}  // namespace mlpipe::runner::docker
