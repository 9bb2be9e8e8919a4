#include "tests/fuzz/support/budget.h"

#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

namespace {

std::atomic<std::size_t> live{0}, peak{0};

void* counted(void* block) {
  if (block == nullptr) return nullptr;
  const std::size_t size = ::malloc_usable_size(block), now = live.fetch_add(size) + size;
  for (std::size_t most = peak; now > most && !peak.compare_exchange_weak(most, now);) continue;
  return block;
}

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if __has_feature(address_sanitizer)
constexpr double factor = 10;
#elif !defined(__OPTIMIZE__)
constexpr double factor = 5;
#else
constexpr double factor = 1;
#endif

double cpu_seconds() {
  std::timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

vmscan::tests::Cost last;

}  // namespace

void* operator new(std::size_t size) {
  if (void* block = counted(std::malloc(size))) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(std::malloc(size)); }
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(std::malloc(size)); }
void operator delete(void* block) noexcept {
  if (block != nullptr) live -= ::malloc_usable_size(block);
  std::free(block);
}
void operator delete[](void* block) noexcept { operator delete(block); }
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
void operator delete[](void* block, std::size_t) noexcept { operator delete(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { operator delete(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { operator delete(block); }

namespace vmscan::tests {

Budget::Budget() : began_(cpu_seconds()), bytes_before_(live) {
  peak = bytes_before_;
  now_ = {"the beginning", began_, 0};
}

void Budget::stage(const char* name) {
  end_stage();
  now_ = {name, cpu_seconds(), 0};
}

void Budget::end_stage() {
  now_.most = cpu_seconds() - now_.began;
  if (now_.most >= longest_.most) longest_ = now_;
}

Cost Budget::spent() const { return {cpu_seconds() - began_, peak - bytes_before_}; }

void Budget::check(std::size_t input_bytes) {
  end_stage();
  last = spent();
  if (input_bytes >= small_input) return;
  if (last.cpu_seconds <= most_seconds * factor && last.peak_bytes <= most_bytes) return;
  std::fprintf(stderr, "over the budget: %.2f s of processor time (longest: %s, %.2f s), %zu MiB\n", last.cpu_seconds,
               longest_.name, longest_.most, last.peak_bytes >> 20);
  std::abort();
}

Cost last_cost() { return last; }

}  // namespace vmscan::tests
