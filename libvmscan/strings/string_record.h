// A string on its own, away from the memory it was found in: what is sorted, compared and kept in temporary files.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "libvmscan/base/range.h"
#include "libvmscan/strings/find_strings.h"

namespace vmscan {

/// Two keyed hashes of a text and its encoding. Different strings have the same by chance once in 2^128 pairs.
struct TextHash {
  std::uint64_t first = 0, second = 0;
  friend auto operator<=>(const TextHash&, const TextHash&) = default;
};

/// The key is drawn anew in each run, so that no content can be made to collide.
TextHash hash_text(std::string_view text, StringEncoding encoding);

struct StringRecord {
  Address address = 0;
  std::uint64_t count = 1;       // how many equal strings this stands for; the address is the lowest one
  std::uint64_t base_count = 0;  // how many there were in what they are compared with
  TextHash hash;
  std::uint32_t region = 0;  // index into Snapshot::regions
  std::uint32_t size = 0;    // bytes in memory
  std::uint32_t characters = 0;
  std::uint32_t text_size = 0;  // bytes of the text in UTF-8, which follows
  std::uint16_t types = 0;      // bit n: the RegionType of that number
  StringEncoding encoding = StringEncoding::Ascii;
  bool continues = false;  // a part of a very long string

  std::uint64_t wasted_bytes() const { return count == 0 ? 0 : (count - 1) * size; }
  std::uint64_t grown_bytes() const { return count <= base_count ? 0 : (count - base_count) * size; }
  FoundString found() const { return {0, size, characters, encoding}; }
};

/// `other`: of an equal string, which `kept` then stands for, too.
inline void add_up(StringRecord& kept, const StringRecord& other) {
  kept.count += other.count;
  kept.base_count += other.base_count;
  kept.types |= other.types;
  if (other.address >= kept.address) return;
  kept.address = other.address;
  kept.region = other.region;
  kept.size = other.size;  // what a file of lines told does not know it
  kept.characters = other.characters;
}

/// A record as it lies in a buffer: head and text.
inline StringRecord head_of(std::string_view record) {
  StringRecord head;
  std::memcpy(&head, record.data(), sizeof head);
  return head;
}
inline std::string_view text_of(std::string_view record) { return record.substr(sizeof(StringRecord)); }

inline void append_record(const StringRecord& head, std::string_view text, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + sizeof head);
  std::memcpy(out.data() + at, &head, sizeof head);
  out += text;
}

/// Takes the first record off a row of them.
inline std::string_view take_record(std::string_view& records) {
  const std::string_view record = records.substr(0, sizeof(StringRecord) + head_of(records).text_size);
  records.remove_prefix(record.size());
  return record;
}

}  // namespace vmscan
