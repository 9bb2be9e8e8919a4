#include "libvmscan/strings/text_masks.h"

#include "libvmscan/strings/printable.h"
#include "libvmscan/strings/run_starts.h"

namespace vmscan::kernels {
namespace {

void set_bit(std::vector<std::uint64_t>& mask, std::size_t i) { mask[i / 64] |= std::uint64_t{1} << i % 64; }

}  // namespace

void resize(TextMasks& masks, std::size_t bytes, const TextMaskOptions& options) {
  const std::size_t words = bytes / 64 + (bytes % 64 != 0 ? 1 : 0);
  masks.text.resize(options.text ? words : 0);
  masks.inner.resize(options.text ? words : 0);
  masks.wide_le.resize(options.wide_le ? words : 0);
  masks.wide_be.resize(options.wide_be ? words : 0);
}

void fill_scalar(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  masks = {};
  resize(masks, bytes.size(), options);
  for (std::size_t i = 0; options.text && i < bytes.size();) {
    const std::size_t size = options.utf8 || bytes[i] < 0x80 ? printable_utf8(bytes.subspan(i)) : 0;
    for (std::size_t k = 0; k < size; ++k) {
      set_bit(masks.text, i + k);
      if (k > 0) set_bit(masks.inner, i + k);
    }
    i += size == 0 ? 1 : size;
  }
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    if (options.wide_le && bytes[i + 1] == 0 && is_printable_latin1(bytes[i])) set_bit(masks.wide_le, i);
    if (options.wide_be && bytes[i] == 0 && is_printable_latin1(bytes[i + 1])) set_bit(masks.wide_be, i);
  }
}

void find_starts_scalar(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  find_run_starts(masks, begin, least, starts);
}

}  // namespace vmscan::kernels
