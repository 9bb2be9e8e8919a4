#include "libvmscan/strings/text_masks.h"

#include <algorithm>

#include "libvmscan/strings/printable.h"
#include "libvmscan/strings/run_counter.h"
#include "libvmscan/strings/run_starts.h"

namespace vmscan::kernels {
namespace {

void set_bit(std::vector<Word>& mask, std::size_t i) { mask[i / 64] |= Word{1} << i % 64; }

void fill(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
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

void count_runs(std::span<const std::uint8_t> bytes, std::size_t begin, const TextMaskOptions& options,
                std::size_t least, RunCount& runs) {
  TextMasks masks;
  fill(bytes, options, masks);
  const std::size_t words = std::max(masks.text.size(), masks.wide_le.size());
  RunCounter counter(least, runs);
  for (std::size_t first = begin / 64; first < words; first += chunk_words) {
    const std::size_t count = std::min(chunk_words, words - first);
    const ChunkMasks to = counter.masks(options);
    if (to.text != nullptr) std::copy_n(masks.text.data() + first, count, to.text);
    if (to.text != nullptr) std::copy_n(masks.inner.data() + first, count, to.inner);
    if (to.wide_le != nullptr) std::copy_n(masks.wide_le.data() + first, count, to.wide_le);
    if (first * 64 < begin) counter.drop(begin % 64);
    counter.add(first, count);
  }
  counter.add_nothing(words);
}

}  // namespace

const TextMaskKernel scalar{"scalar", fill, find_run_starts, count_runs};

void resize(TextMasks& masks, std::size_t bytes, const TextMaskOptions& options) {
  const std::size_t words = bytes / 64 + (bytes % 64 != 0 ? 1 : 0);
  masks.text.resize(options.text ? words : 0);
  masks.inner.resize(options.text ? words : 0);
  masks.wide_le.resize(options.wide_le ? words : 0);
  masks.wide_be.resize(options.wide_be ? words : 0);
}

}  // namespace vmscan::kernels
