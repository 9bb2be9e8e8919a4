// Any bytes as memory: the masks of every instruction set equal the scalar ones, no byte is in two strings, and what a
// piece tells for itself, with what lies at its ends, is what the whole tells.
#include <algorithm>
#include <cstdint>

#include "libvmscan/strings/find_strings.h"
#include "tests/fuzz/require.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

void check_masks(std::span<const std::uint8_t> bytes, const TextMaskOptions& options) {
  TextMasks expected, masks;
  text_mask_kernels().front().fill(bytes, options, expected);
  for (const TextMaskKernel& kernel : text_mask_kernels()) {
    kernel.fill(bytes, options, masks);
    require(masks.text == expected.text && masks.inner == expected.inner && masks.wide_le == expected.wide_le &&
                masks.wide_be == expected.wide_be,
            "the masks are those of the scalar kernel");
  }
}

void append(std::vector<FoundString>& all, std::vector<FoundString> part, std::size_t offset) {
  for (FoundString& found : part) {
    found.offset += offset;
    all.push_back(found);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const TextMaskOptions options{(data[0] & 1) != 0, (data[0] & 3) == 3, (data[0] & 4) != 0, (data[0] & 8) != 0};
  const std::size_t least = 1 + data[1] % 20;
  const std::span bytes(data + 2, size - 2);
  check_masks(bytes, options);
  const auto whole = find_strings(bytes, options, least);
  std::size_t end = 0;
  for (const FoundString& found : whole) {
    require(found.offset >= end && found.size > 0 && found.characters >= least, "strings do not overlap");
    end = found.offset + found.size;
    require(end <= bytes.size(), "strings lie inside");
  }
  InnerStrings inner, counted;
  StringFinder finder(options, least);
  finder.find_inner(bytes, inner);
  finder.count_inner(bytes, counted);
  require(counted.count == inner.strings.size() && inner.count == counted.count, "counting counts what is found");
  std::vector<FoundString> parts = find_strings(bytes.first(inner.begin), options, least);
  append(parts, inner.strings, 0);
  append(parts, find_strings(bytes.subspan(inner.end), options, least), inner.end);
  require(parts == whole, "the parts give the strings of the whole");
  return 0;
}
