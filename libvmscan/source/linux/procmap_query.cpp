#include "libvmscan/source/linux/procmap_query.h"

#include <sys/ioctl.h>

namespace vmscan {
namespace {

struct ProcmapQuery {
  std::uint64_t size, query_flags, query_addr;
  std::uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
  std::uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
  std::uint64_t vma_name_addr, build_id_addr;
};
static_assert(sizeof(ProcmapQuery) == 104);

const unsigned long procmap_query_ioctl = _IOWR('f', 17, ProcmapQuery);

}  // namespace

std::optional<std::uint64_t> query_page_size(int maps_fd, Address address) {
  ProcmapQuery query{};
  query.size = sizeof query;
  query.query_addr = address;
  if (::ioctl(maps_fd, procmap_query_ioctl, &query) != 0) return std::nullopt;
  return query.vma_page_size;
}

}  // namespace vmscan
