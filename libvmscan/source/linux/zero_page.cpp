#include "libvmscan/source/linux/zero_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/linux/text/pagemap_entry.h"

namespace vmscan {

std::uint64_t zero_page_frame(std::uint64_t page_size) {
  constexpr std::size_t pages = 2;  // two, because MIPS and s390 pick one of several zero pages by the address
  void* memory = ::mmap(nullptr, pages * page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  std::array<std::uint64_t, pages> entries{};
  ::madvise(memory, pages * page_size, MADV_NOHUGEPAGE);
  for (std::size_t i = 0; i < pages; ++i)
    static_cast<void>(*(static_cast<volatile const char*>(memory) + i * page_size));
  const Fd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(memory) / page_size * sizeof entries[0]);
  const bool read = pagemap.valid() && ::pread(pagemap.get(), entries.data(), sizeof entries, offset) ==
                                           static_cast<ssize_t>(sizeof entries);
  ::munmap(memory, pages * page_size);
  const bool same = (entries[0] & pagemap::frame) == (entries[1] & pagemap::frame);
  const bool zero = (entries[0] & pagemap::present) != 0 && (entries[0] & pagemap::file_or_shared) == 0;
  return read && same && zero ? entries[0] & pagemap::frame : 0;
}

}  // namespace vmscan
