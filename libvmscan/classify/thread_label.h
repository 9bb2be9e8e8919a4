// How a thread is named where something of it is shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/facts.h"

namespace vmscan {

/// "Thread ID: 7 (worker)"; without a name "Thread ID: 7".
std::string thread_label(const Thread& thread);
/// The same for the thread with this id; `threads` are sorted by it.
std::string thread_label(const std::vector<Thread>& threads, std::uint32_t id);

/// Adds a further thread to the details of memory that several share; `further` counts them, 0 at first. Only so many
/// are named that the details stay short however many there are: the rest is told by add_unnamed_threads().
void add_thread(std::string& details, std::size_t& further, const std::string& label);
void add_unnamed_threads(std::string& details, std::size_t further);

}  // namespace vmscan
