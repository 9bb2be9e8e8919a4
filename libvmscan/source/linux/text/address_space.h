// The part of the address space that a Linux process may map.
#pragma once

#include <optional>

#include "libvmscan/model/facts.h"

namespace vmscan {

/// Documentation/arch/x86/x86_64/mm.rst, arch/arm64/memory.rst. Nothing for a machine that is not known.
std::optional<Range> linux_address_space(const Target& target, const std::vector<Mapping>& mappings);

}  // namespace vmscan
