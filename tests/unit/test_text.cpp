#include <catch2/catch.hpp>

#include "formats/views/text.h"

using namespace vmscan::formats;

TEST_CASE("control characters and broken UTF-8 do not reach a terminal") {
  CHECK(escape_for_terminal("plain \\ text") == "plain \\ text");
  CHECK(escape_for_terminal("\x1b[31mred\x07\r\n\t") == "\\x1b[31mred\\x07\\x0d\\x0a\\x09");
  CHECK(escape_for_terminal("\x7f") == "\\x7f");
  CHECK(escape_for_terminal("\xC2\x9B"
                            "31m") == "\\xc2\\x9b31m");  // U+009B: a control sequence in one character
  CHECK(escape_for_terminal("caf\xC3\xA9 \xF0\x9F\x90\xA7") == "caf\xC3\xA9 \xF0\x9F\x90\xA7");
  CHECK(escape_for_terminal("\xE2\x80\xAE"
                            "exe") == "\\u202eexe");  // right-to-left override
  CHECK(escape_for_terminal(std::string_view("a\0b", 3)) == "a\\x00b");
}

TEST_CASE("what is not UTF-8 by RFC 3629 is escaped byte by byte") {
  CHECK(escape_for_terminal("\xFF") == "\\xff");
  CHECK(escape_for_terminal("\xC3") == "\\xc3");                             // ends too early
  CHECK(escape_for_terminal("\xC0\xAF") == "\\xc0\\xaf");                    // overlong
  CHECK(escape_for_terminal("\xE0\x80\x80") == "\\xe0\\x80\\x80");           // overlong
  CHECK(escape_for_terminal("\xED\xA0\x80") == "\\xed\\xa0\\x80");           // surrogate
  CHECK(escape_for_terminal("\xF4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST_CASE("width counts code points") {
  CHECK(display_width("") == 0);
  CHECK(display_width("abc") == 3);
  CHECK(display_width("\xC3\xA9\xE2\x80\xA6") == 2);
}

TEST_CASE("a long path is shortened in the middle at whole names") {
  const std::string path = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  CHECK(shorten(path, 100) == path);
  CHECK(shorten(path, 35) == path);
  CHECK(shorten(path, 34) == "/usr/…/x86_64-linux-gnu/libc.so.6");
  CHECK(shorten(path, 20) == "/usr/…/libc.so.6");
  CHECK(shorten(path, 16) == "/usr/…/libc.so.6");
  CHECK(shorten(path, 15) == "…/libc.so.6");
  CHECK(shorten("C:\\Windows\\System32\\ntdll.dll", 16) == "C:\\…\\ntdll.dll");
}

TEST_CASE("a text without names to cut at keeps its beginning and its end") {
  CHECK(shorten("abcdefghijklmnopqrstuvwxyz", 10) == "abc…uvwxyz");
  CHECK(shorten("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 4) == "\xC3\xA9…\xC3\xA9\xC3\xA9");
  CHECK(shorten("/averyveryverylongname", 8) == "/a…gname");
  CHECK(shorten("abc", 1) == "…");
  CHECK(shorten("abc", 0).empty());
}

TEST_CASE("shortening never makes a text wider than asked for") {
  for (const char* text : {"/usr/lib/x86_64-linux-gnu/libc.so.6", "//", "/a", "a/b/c/d/e/f/g", "no path at all"}) {
    for (std::size_t width = 0; width < 40; ++width) CHECK(display_width(shorten(text, width)) <= width);
  }
}
