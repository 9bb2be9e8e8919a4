// The Bloom filter of the GNU hash table, which tells in one or two reads of a file what an image does not export.
// Layout: as binutils writes it {buckets, first symbol with a hash, words, shift; the words of the filter; …}.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "libvmscan/model/facts.h"

namespace vmscan {

std::uint32_t gnu_symbol_hash(std::string_view name);

/// Reads all of a buffer at an offset of the file, or says no.
using ReadWhole = std::function<bool(std::uint64_t offset, std::span<std::byte>)>;

/// Of the file whose headers `image` holds. Unknown where there is no such table, or a filter of more than 4 KiB.
ExportFilter read_export_filter(const ReadWhole& read, const ElfImage& image);

/// False: no version of the symbol is defined there.
bool may_export(const ElfImage& image, std::string_view name);

}  // namespace vmscan
