#include "runner/docker/stream_demultiplexer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/collecting_log.hpp"

namespace mlpipe::runner::docker {
namespace {

using test::CollectingLog;

std::string frame(int stream, const std::string& bytes) {
  std::string head(8, '\0');
  head[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i) head[static_cast<std::size_t>(4 + i)] = static_cast<char>(bytes.size() >> (24 - 8 * i));
  return head + bytes;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(StreamDemultiplexer, SplitsAnywhereGiveTheSame) {
  const std::string stream = frame(1, "hello ") + frame(2, std::string("e\0\xff", 3)) + frame(1, "") +
                             frame(1, std::string(300, 'x')) + frame(2, "\n");
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (const std::size_t second : {first, first + 1, first + 7, stream.size()}) {
      const std::size_t end = std::min(second, stream.size());
      CollectingLog log;
      StreamDemultiplexer demultiplexer(log);
      ASSERT_TRUE(demultiplexer.feed(bytes_of(std::string_view(stream).substr(0, first))));
      ASSERT_TRUE(demultiplexer.feed(bytes_of(std::string_view(stream).substr(first, end - first))));
      ASSERT_TRUE(demultiplexer.feed(bytes_of(std::string_view(stream).substr(end))));
      ASSERT_EQ(log.out(), "hello " + std::string(300, 'x'));
      ASSERT_EQ(log.err(), std::string("e\0\xff\n", 4));
      ASSERT_TRUE(demultiplexer.at_frame_boundary());
    }
  }
}

TEST(StreamDemultiplexer, OneByteAtATimeGivesTheSame) {
  const std::string stream = frame(2, "abc") + frame(1, std::string(1000, 'y'));
  CollectingLog log;
  StreamDemultiplexer demultiplexer(log);
  for (const char& c : stream) ASSERT_TRUE(demultiplexer.feed(bytes_of(std::string_view(&c, 1))));
  EXPECT_EQ(log.err(), "abc");
  EXPECT_EQ(log.out(), std::string(1000, 'y'));
}

TEST(StreamDemultiplexer, AHugeFrameIsPassedOnAsItComes) {
  CollectingLog log;
  StreamDemultiplexer demultiplexer(log);
  ASSERT_TRUE(
      demultiplexer.feed(bytes_of(std::string_view("\1\0\0\0\xff\xff\xff\xff"
                                                   "abc",
                                                   11))));
  EXPECT_EQ(log.out(), "abc");
  EXPECT_FALSE(demultiplexer.at_frame_boundary());
}

TEST(StreamDemultiplexer, WhatIsNoFrameHeaderIsAnErrorForGood) {
  CollectingLog log;
  StreamDemultiplexer demultiplexer(log);
  ASSERT_TRUE(demultiplexer.feed(bytes_of(frame(1, "good"))));
  EXPECT_FALSE(demultiplexer.feed(bytes_of("\x07something")));
  EXPECT_FALSE(demultiplexer.feed(bytes_of(frame(1, "after"))));
  EXPECT_EQ(log.out(), "good");
  EXPECT_EQ(log.err(), "");
}

}  // namespace
}  // namespace mlpipe::runner::docker
