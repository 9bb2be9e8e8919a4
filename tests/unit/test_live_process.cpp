// A live process, read in every way that some kernel leaves us.
#ifdef __linux__
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "libvmscan/capture/capture.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/linux/process_memory.h"
#include "libvmscan/source/process.h"

using namespace vmscan;

namespace {

constexpr std::size_t page_bytes = 4096, tib = std::size_t{1} << 40;
constexpr std::size_t zero_pages = 100, written_pages = 50, scattered_pages = 40;

struct Reservation {
  void* begin;
  std::size_t size;
};

/// What AddressSanitizer keeps for itself, 20 TiB, which a child has of its parent and which makes every look at it
/// take seconds.
std::vector<Reservation> sanitizer_reservations() {
  std::vector<Reservation> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::size_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx", &begin, &end) == 2 && end - begin > std::size_t{1} << 30)
      found.push_back({reinterpret_cast<void*>(begin), end - begin});  // NOLINT: an address of this process
  }
  return found;
}

/// A child with a sparse terabyte, zero pages between written ones, and pages that it shares with its parent.
class Child {
 public:
  /// What it has beside: the main arena grown by huge pages, where the system gives them.
  enum class Kind { Sparse, HugeHeap };

  explicit Child(Kind kind = Kind::Sparse) {
    shared_ = static_cast<char*>(
        ::mmap(nullptr, 64 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memset(shared_, 1, 64 * page_bytes);
    const std::vector<Reservation> unwanted = sanitizer_reservations();
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      kind == Kind::Sparse ? fill_sparsely() : fill_huge_pages();
      live(ready[1], unwanted.data(), unwanted.size());
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(shared_, 64 * page_bytes);
  }
  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  static void fill_sparsely() {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    auto* sparse = static_cast<volatile char*>(::mmap(nullptr, tib, PROT_READ | PROT_WRITE, flags, -1, 0));
    for (std::size_t i = 0; i < scattered_pages; ++i) sparse[i * (tib / scattered_pages)] = 1;
    auto* mixed = static_cast<volatile char*>(::mmap(nullptr, 1024 * page_bytes, PROT_READ | PROT_WRITE, flags, -1, 0));
    ::madvise(const_cast<char*>(mixed), 1024 * page_bytes, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < zero_pages; ++i) static_cast<void>(mixed[i * 3 * page_bytes]);
    for (std::size_t i = 0; i < written_pages; ++i) mixed[(i * 3 + 1) * page_bytes] = 1;
  }

  static void fill_huge_pages() {
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
    auto* block = static_cast<char*>(std::malloc(16 << 20));
    ::madvise(block + (page_bytes - reinterpret_cast<std::uintptr_t>(block) % page_bytes), 15 << 20, MADV_HUGEPAGE);
    std::memset(block, 1, 16 << 20);
  }

  /// Nothing may be instrumented or intercepted any more.
  [[noreturn]] __attribute__((no_sanitize("address", "undefined"))) static void live(int ready,
                                                                                     const Reservation* unwanted,
                                                                                     std::size_t count) {
    constexpr std::size_t most = 256;
    Reservation list[most];  // as `unwanted` lies in one of them
    if (count > most) count = most;
    for (std::size_t i = 0; i < count; ++i) list[i] = unwanted[i];
    for (std::size_t i = 0; i < count; ++i) ::syscall(SYS_munmap, list[i].begin, list[i].size);
    ::syscall(SYS_write, ready, "r", 1);
    for (;;) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
  }

  char* shared_ = nullptr;
  pid_t pid_ = -1;
};

Summary summary_of(std::uint32_t pid, const CollectOptions& options) {
  auto source = open_process(pid);
  REQUIRE(source);
  auto facts = capture(**source, options);
  REQUIRE(facts);
  const Snapshot snapshot = build_snapshot(std::move(*facts));
  const auto broken = broken_laws(snapshot);
  CHECK(broken.empty());
  return summarize(snapshot);
}

Bytes rss_of(std::uint32_t pid, const CollectOptions& options) { return summary_of(pid, options).total.usage.total_ws; }

}  // namespace

TEST_CASE("every way of reading the pages gives the same working set") {
  const Child child;
  CollectOptions all;
  all.smaps = true;
  auto source = open_process(child.pid());
  REQUIRE(source);
  const auto facts = capture(**source, all);
  REQUIRE(facts);
  Bytes expected = 0;  // what smaps says
  for (const Mapping& mapping : facts->mappings) {
    REQUIRE(mapping.smaps);
    expected += mapping.smaps->rss;
  }
  REQUIRE(expected.known());

  const std::vector<KernelFeatures> kernels{
      {.pagemap_scan = true, .page_frames = true, .smaps = true},
      {.pagemap_scan = true, .page_frames = false, .smaps = true},
      {.pagemap_scan = true, .page_frames = false, .smaps = false},
      {.pagemap_scan = false, .page_frames = true, .smaps = true},
      {.pagemap_scan = false, .page_frames = false, .smaps = true},
  };
  for (const KernelFeatures& features : kernels) {
    CAPTURE(features.pagemap_scan, features.page_frames, features.smaps);
    for (const unsigned threads : {1U, 3U}) {
      CollectOptions options;
      options.features = features;
      options.threads = threads;
      CHECK(*rss_of(child.pid(), options) == *expected);
    }
  }
}

TEST_CASE("what is in RAM is known without asking which pages are shared, where PAGEMAP_SCAN tells it") {
  const Child child;
  CollectOptions options;
  const Bytes expected = rss_of(child.pid(), options);
  options.sharing = false;
  for (const bool scan : {true, false}) {
    options.features.pagemap_scan = scan;
    const Usage usage = summary_of(child.pid(), options).total.usage;
    CHECK(*usage.total_ws == *expected);
    CHECK(usage.private_ws.known() != scan);
  }
}

TEST_CASE("what is in RAM is known from the capture, and by a look of its own") {
  const Child child;
  auto source = open_process(child.pid());
  REQUIRE(source);
  const auto facts = capture(**source, {});
  REQUIRE(facts);
  std::vector<Range> ranges;
  for (const Mapping& mapping : facts->mappings)
    if (!mapping.path.starts_with("[vv")) ranges.push_back(mapping.range);  // not memory, though the kernel finds pages
  const auto proc = ProcDir::open(child.pid());
  REQUIRE(proc);
  const ProcessMemory memory(*proc);
  const auto noted = (*source)->memory()->present(ranges), looked = memory.present(ranges);
  REQUIRE((noted && looked));
  CHECK(!noted->empty());
  CHECK(*noted == *looked);
}

TEST_CASE("a kernel that tells nothing of the zero page is told of in a note") {
  const Child child;
  CollectOptions options;
  options.features = {.pagemap_scan = false, .page_frames = false, .smaps = false};
  auto source = open_process(child.pid());
  REQUIRE(source);
  const auto facts = capture(**source, options);
  REQUIRE(facts);
  const bool told = std::any_of(facts->notes.begin(), facts->notes.end(),
                                [](const Note& note) { return note.code == "zero_pages_counted"; });
  CHECK(told);
}

namespace {

/// By smaps, of the mappings that hold arenas.
std::uint64_t huge_bytes_of_arenas(const Facts& facts) {
  std::uint64_t huge = 0;
  for (const Mapping& mapping : facts.mappings)
    if (std::any_of(facts.heaps.begin(), facts.heaps.end(), [&](const HeapPart& part) {
          return part.kind == HeapPart::Kind::Arena && part.range.overlaps(mapping.range);
        }))
      huge += mapping.smaps ? mapping.smaps->huge.value_or(0) : 0;
  return huge;
}

}  // namespace

TEST_CASE("which pages of a heap are huge is known from PAGEMAP_SCAN, and from smaps where they are all that can be") {
  const Child child(Child::Kind::HugeHeap);
  auto source = open_process(child.pid());
  REQUIRE(source);
  const auto collected = [&](const CollectOptions& options) {
    auto facts = capture(**source, options);
    REQUIRE(facts);
    return std::move(*facts);
  };
  CollectOptions options;
  options.huge_pages = options.smaps = true;
  Facts scanned = collected(options);
  if (!scanned.huge_pages) return;  // the kernel has none
  const std::uint64_t size = scanned.huge_pages->size;
  // khugepaged may turn small pages into a huge one between smaps and the scan.
  for (int attempt = 0; attempt < 5 && scanned.huge_pages->pages.size() * size != huge_bytes_of_arenas(scanned);
       ++attempt)
    scanned = collected(options);
  const std::vector<Address> pages = scanned.huge_pages->pages;
  CHECK(pages.size() * size == huge_bytes_of_arenas(scanned));
  options.features.pagemap_scan = false;
  const Facts by_smaps = collected(options);
  REQUIRE(by_smaps.huge_pages);
  const std::vector<Address>& fewer = by_smaps.huge_pages->pages;
  options.features.pagemap_scan = true;
  const Facts again = collected(options);
  REQUIRE(again.huge_pages);
  const std::vector<Address>& later = again.huge_pages->pages;
  CHECK(std::includes(later.begin(), later.end(), fewer.begin(), fewer.end()));
  const std::size_t possible = (15 << 20) / size - 1;
  if (pages.size() >= possible) CHECK(fewer == later);
  options.features.pagemap_scan = options.features.smaps = options.smaps = false;
  const Facts unknown = collected(options);
  CHECK((!unknown.huge_pages || unknown.huge_pages->pages.empty()));
}

TEST_CASE("memory is read as it is, and a hole is a hole") {
  const Child child;
  auto source = open_process(child.pid());
  REQUIRE(source);
  const MemoryReader* memory = (*source)->memory();
  REQUIRE(memory != nullptr);
  static const char text[] = "the same in parent and child";
  std::vector<std::byte> buffer(sizeof text);
  const auto read = memory->read_some(reinterpret_cast<Address>(text), buffer);
  if (!read && read.error().code == ErrorCode::AccessDenied) return;  // no right to trace here
  REQUIRE(read);
  CHECK(*read == sizeof text);
  CHECK(std::memcmp(buffer.data(), text, sizeof text) == 0);
  const auto hole = memory->read_some(page_bytes, buffer);
  REQUIRE(hole);
  CHECK(*hole == 0);
}

TEST_CASE("a process that has ended is never read as another one") {
  std::unique_ptr<Source> source;
  {
    const Child child;
    auto opened = open_process(child.pid());
    REQUIRE(opened);
    source = std::move(*opened);
  }
  const auto facts = capture(*source, {});
  REQUIRE_FALSE(facts);
  CHECK(facts.error().code == ErrorCode::Vanished);
}
#endif
