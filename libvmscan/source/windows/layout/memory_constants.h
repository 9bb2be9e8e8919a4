// Values of winnt.h that VirtualQuery and minidumps use, in our words.
#pragma once

#include <cstdint>
#include <optional>

#include "libvmscan/model/allocations.h"

namespace vmscan {

/// MEM_COMMIT, MEM_RESERVE or MEM_FREE; nothing for any other value.
std::optional<State> state_of_memory(std::uint32_t value);

/// MEM_PRIVATE, MEM_MAPPED or MEM_IMAGE; Unknown for any other value.
AllocationKind kind_of_memory(std::uint32_t value);

/// PAGE_* with its modifiers. Nothing for 0 and for values without one of the eight basic protections. What caching a
/// page has (PAGE_NOCACHE, PAGE_WRITECOMBINE) is passed over.
std::optional<Protection> protection_of_pages(std::uint32_t value);

/// What the loader gives a section of a PE file (IMAGE_SCN_MEM_*): writable ones are copied on write.
Protection protection_of_section(std::uint32_t characteristics);

inline constexpr std::uint64_t windows_granularity = 64 << 10;  // dwAllocationGranularity of every Windows

}  // namespace vmscan
