// Shareable memory: what has no file on disk and can be shared.
#include "libvmscan/classify/claiming.h"

namespace vmscan {

void claim_kernel_data(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [](const Mapping& mapping) { return mapping.path.starts_with("[vvar"); });
}

void claim_memfd(Pieces& pieces, const Rule& rule) { claim_each(pieces, rule, is_memfd); }

// ipc/shm.c names the file SYSV and the key in hexadecimal; hugetlb segments as well.
void claim_sysv(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [](const Mapping& mapping) { return mapping.deleted && mapping.path.starts_with("/SYSV"); });
}

// mm/shmem.c backs shared anonymous memory with a file called "dev/zero (deleted)"; hugetlb with "anon_hugepage".
// /anon_hugepage is also what a private anonymous hugetlb mapping shows: that one is nobody else's.
void claim_shared_anonymous(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [](const Mapping& mapping) {
    if (mapping.path.starts_with("[anon_shmem:")) return true;
    const bool no_file = (mapping.path == "/dev/zero" || mapping.path == "/anon_hugepage") && mapping.deleted;
    return mapping.shared && (no_file || mapping.path.empty());
  });
}

void claim_device(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [](const Mapping& mapping) {
    const std::string& path = mapping.path;
    const bool in_dev = path.starts_with("/dev/") && !path.starts_with("/dev/shm/") && path != "/dev/zero";
    const bool object = !path.empty() && !path.starts_with('/') && !path.starts_with('[');  // anon_inode:…, socket:…
    const bool kernel_file = path.starts_with("/dmabuf") || path.starts_with("/drm mm object") ||
                             path.starts_with("/i915") || path.starts_with("/[aio]") || path.starts_with("anon_inode:");
    return mapping.inode != 0 && (in_dev || object || kernel_file);
  });
}

void claim_memory_file(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [&](const Mapping& mapping) {
    const bool in_ram = pieces.facts.memory_devices.contains({mapping.device_major, mapping.device_minor});
    const bool zero = mapping.path == "/dev/zero";
    const bool devices_unknown = pieces.facts.memory_devices.empty();
    return mapping.inode != 0 && !zero && (in_ram || (devices_unknown && mapping.path.starts_with("/dev/shm/")));
  });
}

}  // namespace vmscan
