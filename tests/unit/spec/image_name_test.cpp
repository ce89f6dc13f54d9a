#include <gtest/gtest.h>

#include "mlpipe/spec/reader.hpp"

namespace mlpipe::spec {
namespace {

const std::string k_hex(64, 'a');

TEST(ImageName, WhatEnginesTakeIsAName) {
  for (const std::string& name :
       {std::string("busybox"), std::string("python:3.11-slim"), std::string("team/x__y/z-a.b--c:_T.ag-1"),
        std::string("localhost/x"), std::string("localhost:5000/team/x"), std::string("Registry.Example.org:443/x"),
        std::string("[::1]:5000/x"), "x@sha256:" + k_hex, "x:1@sha256:" + k_hex, "sha256:" + k_hex, k_hex,
        "x:" + std::string(128, 't'), std::string("5")}) {
    EXPECT_EQ(image_name_problem(name), std::nullopt) << name;
  }
}

TEST(ImageName, WhatNoEngineTakesIsNone) {
  for (const std::string& name : {std::string(""),
                                  std::string("a b"),
                                  std::string("UPPER"),
                                  std::string("UPPER/x"),
                                  std::string("team/X"),
                                  std::string("x:"),
                                  std::string("x:-t"),
                                  std::string("x:a:b"),
                                  std::string("a//b"),
                                  std::string("/x"),
                                  std::string("x/"),
                                  std::string("-x"),
                                  std::string("x."),
                                  std::string("a..b"),
                                  std::string("a___b"),
                                  std::string("a-_b"),
                                  std::string("x@"),
                                  std::string("x@sha256:abc"),
                                  "x@sha256:" + k_hex + "a",
                                  std::string("x@:") + k_hex,
                                  "x:" + std::string(129, 't'),
                                  std::string(256, 'x'),
                                  std::string("x\n"),
                                  std::string("\xC3\xA9"),
                                  std::string("https://example.org/x"),
                                  std::string("_")}) {
    EXPECT_NE(image_name_problem(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace mlpipe::spec
