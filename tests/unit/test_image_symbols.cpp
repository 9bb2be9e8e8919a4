#ifdef __linux__
#include <dlfcn.h>
#endif

#include <algorithm>
#include <catch2/catch.hpp>

#include "libvmscan/capture/capture.h"
#include "libvmscan/memory/image_symbols.h"
#include "libvmscan/source/process.h"
#include "tests/support/fake_memory.h"

using namespace vmscan;
using tests::FakeMemory;

namespace {

constexpr Address bias = 0x7f0000000000;
constexpr Address dynamic = 0x100, symbols = 0x200, names = 0x400, hashes = 0x500;  // before relocation
constexpr std::uint64_t size = 0x2000;

/// An image whose tables are written word by word after the ABI. "first" is data, "undefined" is another image's,
/// "own" is a thread's variable, "second" is a function and lies in a chain behind "first".
class Image {
 public:
  explicit Image(unsigned bits, bool gnu, bool relocated) : memory_(bits), word_(bits / 8), bits_(bits) {
    memory_.map(base(), size, "/lib/some.so");
    Mapping& mapping = memory_.facts().mappings.back();
    mapping.execute = true;
    ElfImage image;
    image.segments.push_back({0, 0, size, size, true, true, true});
    image.dynamic = Range{dynamic, dynamic + 12 * word_};
    image.pointer_bits = bits;
    memory_.facts().images.emplace(key_of(mapping), image);
    put_dynamic(gnu, relocated ? base() : 0);
    put_symbol(1, 1, 0x1100, 24, 1, 5);
    put_symbol(2, 7, 0x1200, 8, 1, 0);
    put_symbol(3, 17, 0x20, 8, 6, 5);
    put_symbol(4, 21, 0x1300, 0, 2, 5);
    put_names("\0first\0undefined\0own\0second\0");
    gnu ? put_gnu() : put_sysv();
  }

  Address base() const { return bits_ == 32 ? 0xf7000000 : bias; }
  FakeMemory& memory() { return memory_; }
  std::optional<Range> find(std::string_view name) {
    const TargetMemory memory(memory_.facts(), memory_);
    const std::vector<LoadedImage> images = loaded_images(memory);
    REQUIRE(images.size() == 1);
    CHECK(images[0].bias == base());
    return ImageSymbols(memory, images[0]).find(name);
  }

 private:
  void put_dynamic(bool gnu, Address added) {
    const std::uint64_t entries[][2] = {{6, symbols + added},
                                        {5, names + added},
                                        {10, 28},
                                        {11, word_ == 8 ? 24U : 16U},
                                        {gnu ? 0x6ffffef5U : 4U, hashes + added},
                                        {0, 0}};
    Address at = base() + dynamic;
    for (const auto& [tag, value] : entries) {
      memory_.put_word(at, tag);
      memory_.put_word(at + word_, value);
      at += 2 * word_;
    }
  }
  void put_symbol(std::uint64_t index, std::uint64_t name, std::uint64_t value, std::uint64_t bytes, std::uint64_t type,
                  std::uint64_t section) {
    const bool wide = word_ == 8;
    const Address at = base() + symbols + index * (wide ? 24 : 16);
    memory_.put(at, name, 4);
    memory_.put(at + (wide ? 4 : 12), 0x10 | type, 1);
    memory_.put(at + (wide ? 6 : 14), section, 2);
    memory_.put_word(at + (wide ? 8 : 4), value);
    memory_.put_word(at + (wide ? 16 : 8), bytes);
  }
  template <std::size_t N>
  void put_names(const char (&text)[N]) {
    memory_.fill(base() + names, std::as_bytes(std::span(text).first(N - 1)));
  }
  void put_numbers(std::initializer_list<std::uint32_t> numbers) {
    Address at = base() + hashes;
    for (const std::uint32_t number : numbers) {
      memory_.put(at, number, 4);
      at += 4;
    }
  }
  // One bucket, so every symbol is in its chain.
  void put_gnu() {
    const Address at = base() + hashes;
    put_numbers({1, 1, 1, 6});
    memory_.put_word(at + 16, ~std::uint64_t{0});  // a filter that lets everything pass
    const Address bucket = at + 16 + word_;
    memory_.put(bucket, 1, 4);
    const std::string_view known[] = {"first", "undefined", "own", "second"};
    for (std::uint64_t i = 0; i < 4; ++i) {
      std::uint32_t hash = 5381;
      for (const char c : known[i]) hash = hash * 33 + static_cast<unsigned char>(c);
      memory_.put(bucket + 4 + 4 * i, (hash & ~1U) | (i == 3 ? 1 : 0), 4);
    }
  }
  void put_sysv() { put_numbers({1, 5, 1, 0, 2, 3, 4, 0}); }

  FakeMemory memory_;
  std::size_t word_;
  unsigned bits_;
};

}  // namespace

TEST_CASE("exported symbols are found through either hash table, relocated or not, 32- and 64-bit") {
  for (const unsigned bits : {32U, 64U})
    for (const bool gnu : {false, true})
      for (const bool relocated : {false, true}) {
        INFO(bits << (gnu ? " GNU hash" : " SysV hash") << (relocated ? " relocated" : ""));
        Image image(bits, gnu, relocated);
        CHECK(image.find("first") == Range{image.base() + 0x1100, image.base() + 0x1118});
        CHECK(image.find("second") == Range{image.base() + 0x1300, image.base() + 0x1300});
        for (const char* name : {"undefined", "own", "firs", "first2", "", "third"}) {
          INFO(name);
          CHECK(!image.find(name));
        }
      }
}

TEST_CASE("tables that lead nowhere or in circles end") {
  Image gnu(64, true, true), sysv(64, false, true);
  SECTION("a chain that never ends") {
    const Address hash = gnu.base() + hashes + 16 + 8 + 4;
    for (Address at = hash; at < gnu.base() + size; at += 4) gnu.memory().put(at, 2, 4);
    CHECK(!gnu.find("third"));
    for (std::uint32_t i = 1; i < 5; ++i)
      sysv.memory().put(sysv.base() + hashes + 8 + 4 + 4 * i, i == 4 ? 1 : i + 1, 4);
    CHECK(!sysv.find("third"));
    CHECK(sysv.memory().reads() < 50'000);
  }
  SECTION("counts beyond the image") {
    for (const Address at : {hashes, hashes + 4, hashes + 8}) {
      Image again(64, true, true);
      again.memory().put(again.base() + at, 0xffffffff, 4);
      CHECK(!again.find("third"));
    }
  }
  SECTION("no buckets") {
    gnu.memory().put(gnu.base() + hashes, 0, 4);
    sysv.memory().put(sysv.base() + hashes, 0, 4);
    CHECK(!gnu.find("first"));
    CHECK(!sysv.find("first"));
  }
  SECTION("a symbol outside of the image") {
    gnu.memory().put_word(gnu.base() + symbols + 24 + 8, size);
    CHECK(!gnu.find("first"));
  }
  SECTION("a name behind the names") {
    gnu.memory().put(gnu.base() + symbols + 24, 0xfffffff0, 4);
    CHECK(!gnu.find("first"));
  }
  SECTION("any word of the tables") {
    for (Address at = 0; at < hashes + 0x40; at += 4)
      for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
        Image again(64, true, true);
        again.memory().put(again.base() + at, value, 4);
        for (const char* name : {"first", "second", "third"}) again.find(name);
        CHECK(again.memory().reads() < 50'000);
      }
  }
}

TEST_CASE("what is not in RAM is read from the file and not in the target") {
  Image image(64, true, true);
  image.memory().facts().pages_known = true;  // and no page is there
  CHECK(!image.find("first"));
  CHECK(image.memory().reads() == 0);
  std::vector<std::byte> content(size);
  REQUIRE(image.memory().read_whole(image.base(), content));
  image.memory().file = bytes_of(content);
  const std::size_t before = image.memory().reads();
  CHECK(image.find("first") == Range{image.base() + 0x1100, image.base() + 0x1118});
  CHECK(image.memory().reads() == before);
}

#ifdef __linux__
TEST_CASE("the symbols of this program's own C library are where the linker says") {
  auto source = open_process(current_pid());
  REQUIRE(source.has_value());
  const auto facts = capture(**source, {});
  REQUIRE(facts.has_value());
  const TargetMemory memory(*facts, *(*source)->memory());
  const auto images = loaded_images(memory);
  const auto libc = std::find_if(images.begin(), images.end(), [](const LoadedImage& image) {
    return file_name(image.mapping->path).starts_with("libc.so") || file_name(image.mapping->path).starts_with("libc-");
  });
  REQUIRE(libc != images.end());
  const ImageSymbols exported(memory, *libc);
  void* const handle =
      ::dlopen(libc->mapping->path.c_str(), RTLD_LAZY | RTLD_NOLOAD);  // not a sanitizer's own functions
  REQUIRE(handle != nullptr);
  for (const char* name : {"mallopt", "_IO_list_all", "obstack_alloc_failed_handler"}) {
    INFO(name);
    REQUIRE(exported.find(name).has_value());
    CHECK(exported.find(name)->begin == reinterpret_cast<Address>(::dlsym(handle, name)));
  }
  CHECK(!exported.find("_rtld_global"));  // the linker's own
  CHECK(!exported.find("errno"));         // each thread has one
}
#endif
