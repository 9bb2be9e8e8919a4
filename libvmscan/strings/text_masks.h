// The first step of the scan: which bytes belong to text, a bit for each byte. Everything else works on these bits.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vmscan {

/// Bit i of word i/64 stands for byte i. Bits behind the last byte are 0.
struct TextMasks {
  std::vector<std::uint64_t> text;     // part of a printable character in ASCII or UTF-8
  std::vector<std::uint64_t> inner;    // of those: not the first byte of its character
  std::vector<std::uint64_t> wide_le;  // a printable character in UTF-16LE begins here (two bytes, both inside)
  std::vector<std::uint64_t> wide_be;
};

struct TextMaskOptions {
  bool text = true;  // ASCII
  bool utf8 = true;  // and longer UTF-8 sequences
  bool wide_le = true;
  bool wide_be = false;
};

/// Where runs of a least length (2 to 16) begin, for some words of the masks, in ASCII, UTF-8 and UTF-16LE.
struct RunStarts {
  static constexpr std::size_t most = 256;
  std::size_t count = 0;     // words
  std::uint64_t text[most];  // runs of bytes: enough of them, but if their characters are longer perhaps too few
  std::uint64_t wide[most];  // runs of UTF-16LE
};

/// How many runs of a least length (2 to 16 characters) there are in ASCII, UTF-8 and UTF-16LE.
struct RunCount {
  static constexpr std::size_t most_least = 16;
  std::size_t found = 0;
  /// Runs of UTF-16LE that begin with the last of at least so many bytes of text as a run must have characters: both
  /// are counted. As long as there is room, the caller's, their beginnings are noted there.
  std::size_t shared = 0;
  std::span<std::size_t> shared_at;
};

/// One implementation, for one instruction set.
struct TextMaskKernel {
  std::string_view name;  // "scalar", "ssse3", "avx2", "avx512", "avx512vbmi"
  void (*fill)(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks);
  /// From word `begin` on, which must be there.
  void (*find_starts)(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts);
  /// From byte `begin` on, which belongs to no character that begins before. Not for UTF-16BE.
  void (*count)(std::span<const std::uint8_t> bytes, std::size_t begin, const TextMaskOptions& options,
                std::size_t least, RunCount& runs);
};

/// What this processor can run, the fastest last; the first is "scalar", byte by byte, which the others must equal.
std::span<const TextMaskKernel> text_mask_kernels();

/// With the fastest. Masks that were not asked for become empty; others have a word for each begun 64 bytes.
inline void fill_text_masks(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  text_mask_kernels().back().fill(bytes, options, masks);
}

// For the implementations.
namespace kernels {
void resize(TextMasks& masks, std::size_t bytes, const TextMaskOptions& options);
extern const TextMaskKernel scalar, ssse3, avx2, avx512, avx512vbmi;
}  // namespace kernels

}  // namespace vmscan
