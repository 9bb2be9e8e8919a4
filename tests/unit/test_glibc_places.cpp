#include <catch2/catch.hpp>

#include "libvmscan/owners/allocators/glibc/glibc_arenas.h"
#include "libvmscan/owners/allocators/glibc/glibc_places.h"
#include "tests/support/fake_glibc.h"

using namespace vmscan;
using tests::FakeGlibc;

namespace {

constexpr std::uint64_t data_offset = 0x1000, file_bytes = 0x4000, arena_offset = FakeGlibc::arena - FakeGlibc::data;

/// The file of FakeGlibc's library: two segments, of which the second is its data.
class FakeFile {
 public:
  explicit FakeFile(unsigned pointer_bits = 64) : word_(pointer_bits == 32U ? 4 : 8), bytes_(file_bytes) {
    image_.segments.push_back({0, 0, 0x1000, 0x1000, true, false, true});
    image_.segments.push_back({data_offset, data_offset, 0x2000, 0x2000, true, true, false});
    image_.pointer_bits = pointer_bits;
  }

  void put(std::uint64_t offset, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_[offset + i] = static_cast<std::byte>(value >> (8 * i));
  }
  void put_word(std::uint64_t offset, std::uint64_t value) { put(offset, value, word_); }
  /// As the linker writes it: addresses count from the beginning of the image.
  void put_arena(std::size_t next) {
    put_word(data_offset + arena_offset + next, data_offset + arena_offset);
    put_word(data_offset + arena_offset + next + 2 * word_, 1);
  }
  void put_relocation(std::size_t next) {
    put_word(data_offset + arena_offset + next + 2 * word_, 1);
    image_.segments[0].file_size = image_.segments[0].memory_size = 0x1000;
    image_.dynamic = Range{0x100, 0x100 + 6 * word_};
    const std::uint64_t dynamic[] = {7, 0x200, 8, 6 * word_, 0, 0};
    for (std::size_t i = 0; i < std::size(dynamic); ++i) put_word(0x100 + i * word_, dynamic[i]);
    const std::uint64_t table[] = {
        data_offset, 8, 0x40, data_offset + arena_offset + next, 8, data_offset + arena_offset};
    for (std::size_t i = 0; i < std::size(table); ++i) put_word(0x200 + i * word_, table[i]);
  }
  /// mp_ with n_mmaps at that offset of the data.
  void put_parameters(std::uint64_t n_mmaps, bool huge_pages) {
    const std::uint64_t begin = data_offset + n_mmaps - 5 * word_ - (huge_pages ? 2 * word_ + 4 : 0);
    for (std::size_t i = 0; i < 3; ++i) put_word(begin + i * word_, 0x20000);
    put_word(begin + 3 * word_, word_ == 8 ? 8 : 2);
    put(data_offset + n_mmaps + 4, 65536, 4);
  }

  void give_to(tests::FakeMemory& memory) {
    Mapping& data = memory.facts().mappings.front();  // FakeGlibc's data
    data.offset = data_offset;
    Mapping text = data;
    text.range = {data.range.begin - data_offset, data.range.begin};
    text.offset = 0;
    text.execute = true;
    text.write = false;
    memory.facts().mappings.insert(memory.facts().mappings.begin(), text);
    memory.facts().images.emplace(key_of(text), image_);
    memory.file = bytes_of(bytes_);
  }

 private:
  std::size_t word_;
  std::vector<std::byte> bytes_;
  ElfImage image_;
};

std::optional<GlibcPlaces> places_of(tests::FakeMemory& memory) {
  return find_glibc_places(TargetMemory(memory.facts(), memory));
}

}  // namespace

TEST_CASE("the file tells where the main arena is, whatever memory holds") {
  FakeGlibc glibc;
  FakeFile file;
  const bool relocated = GENERATE(false, true);
  relocated ? file.put_relocation(FakeGlibc::next) : file.put_arena(FakeGlibc::next);
  file.put_parameters(0x104, true);
  file.give_to(glibc.memory);
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::next, 0x4141414141414141);
  const auto places = places_of(glibc.memory);
  REQUIRE(places);
  CHECK(places->main_arena == FakeGlibc::arena);
  CHECK(places->top == FakeGlibc::top);
  CHECK(places->next == FakeGlibc::next);
  CHECK(places->counters == std::vector<Address>{FakeGlibc::data + 0x104});
}

TEST_CASE("heads of a malloc_state before and after 2.27 are told apart in the file") {
  FakeGlibc glibc;
  FakeFile file;
  const std::size_t before_top = GENERATE(0x58U, 0x60U);
  file.put_arena(before_top + 0x810);
  file.give_to(glibc.memory);
  const auto places = places_of(glibc.memory);
  REQUIRE(places);
  CHECK(places->top == before_top);
  CHECK(places->counters.empty());
}

TEST_CASE("words of a file that only have the distance of a main arena are none") {
  FakeGlibc glibc;
  FakeFile file;
  file.put_arena(FakeGlibc::next);
  SECTION("something but zeros between them") { file.put_word(data_offset + arena_offset + 0x100, 7); }
  SECTION("no count of threads behind") { file.put_word(data_offset + arena_offset + FakeGlibc::next + 16, 7); }
  SECTION("nothing at all") { file.put_word(data_offset + arena_offset + FakeGlibc::next, 0); }
  file.give_to(glibc.memory);
  CHECK_FALSE(places_of(glibc.memory));  // what the file does not have, memory cannot have
}

TEST_CASE("an arena that the file tells and that was never used has no heap") {
  FakeGlibc glibc;
  FakeFile file;
  file.put_arena(FakeGlibc::next);
  file.give_to(glibc.memory);
  for (std::uint64_t i = 0; i < 127 * 2; ++i) glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::bins + 8 * i, 0);
  REQUIRE(places_of(glibc.memory));
  CHECK(find_glibc_arenas(TargetMemory(glibc.memory.facts(), glibc.memory)).arenas.empty());
}

TEST_CASE("relocations that lead beyond the file are passed over") {
  FakeGlibc glibc;
  FakeFile file;
  file.put_relocation(FakeGlibc::next);
  file.put_word(0x100 + 3 * 8, GENERATE(std::uint64_t{0}, std::uint64_t{5}, ~std::uint64_t{0}));
  file.give_to(glibc.memory);
  CHECK_FALSE(places_of(glibc.memory));
}

TEST_CASE("the kind of system_mem that stood before attached_threads is read") {
  FakeGlibc glibc;
  glibc.chunk(0x40);
  glibc.finish();
  const bool old = GENERATE(true, false);
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::next + 16, old ? 0x21000 : 1);
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::next + 24, old ? 0x40000 : 0x21000);
  const GlibcHeaps found = find_glibc_arenas(TargetMemory(glibc.memory.facts(), glibc.memory));
  REQUIRE(found.arenas.size() == 1);
  CHECK(found.arenas[0].system_bytes == 0x21000);
  CHECK(found.arenas[0].found_bytes() == 0x21000);
}
