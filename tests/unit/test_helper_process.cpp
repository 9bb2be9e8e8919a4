#ifdef __linux__
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "libvmscan/source/linux/helper_process.h"

using namespace vmscan;
using namespace std::chrono_literals;

namespace {

constexpr auto wait_for_ever = [](std::string_view request) {
  while (request == "wait") ::pause();
  return std::string(request) + std::string(request);
};

}  // namespace

TEST_CASE("a helper answers one request after the other, small and large") {
  HelperProcess helper(wait_for_ever, 60s);
  CHECK(helper.ask("") == "");
  CHECK(helper.ask("ab") == "abab");
  const std::string large(3 << 20, 'x');
  CHECK(helper.ask(large) == large + large);
}

TEST_CASE("a helper that does not answer is left behind, and another one answers") {
  HelperProcess helper(wait_for_ever, 1s);
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(helper.ask("wait"));
  CHECK(std::chrono::steady_clock::now() - begin < 20s);
  CHECK(helper.ask("ab") == "abab");
}

TEST_CASE("a helper that ends early is no answer") {
  HelperProcess helper([](std::string_view) -> std::string { ::_exit(1); }, 10s);
  CHECK_FALSE(helper.ask("ab"));
  CHECK_FALSE(helper.ask("ab"));
}

#endif
