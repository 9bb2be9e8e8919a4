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

/// What the stacks of no living thread are called.
inline constexpr std::string_view ended_stack = "ended thread, not joined", kept_stack = "kept for the next thread";
/// Whose stack it is.
std::string owner_label(const Facts& facts, const ThreadStack& stack);

/// Whether the stack is memory that the program took from an allocator or a runtime and gave to the thread: the region
/// stays theirs.
bool lies_in_anothers(const Facts& facts, const ThreadStack& stack);
/// The rest of what a region is called when stacks lie in it begins with this.
inline constexpr std::string_view stacks_in_it = "; stack of ";

}  // namespace vmscan
