// How a thread is named where something of it is shown.
#pragma once

#include <string>
#include <vector>

#include "libvmscan/model/target.h"

namespace vmscan {

/// "Thread ID: 7 (worker)"; without a name "Thread ID: 7".
std::string thread_label(const Thread& thread);
/// The same for the thread with this id; `threads` are sorted by it.
std::string thread_label(const std::vector<Thread>& threads, std::uint32_t id);

}  // namespace vmscan
