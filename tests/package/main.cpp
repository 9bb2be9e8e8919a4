// Uses something of every part of the installed library.
#include <cstdio>

#include "libvmscan/capture/capture.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/process.h"

int main() {
  const vmscan::Snapshot snapshot = vmscan::build_snapshot(vmscan::Facts{});
  if (!vmscan::broken_laws(snapshot).empty() || !snapshot.regions.empty()) return 1;
  const auto source = vmscan::open_process(vmscan::current_pid());
  if (!source) {
    std::fprintf(stderr, "%s\n", source.error().message.c_str());
    return source.error().code == vmscan::ErrorCode::Unsupported ? 0 : 1;
  }
  const auto facts = vmscan::capture(**source, {});
  return facts && !facts->mappings.empty() ? 0 : 1;
}
