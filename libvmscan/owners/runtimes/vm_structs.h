// The tables in which HotSpot describes its own structures to debuggers (src/hotspot/share/runtime/vmStructs.hpp):
// libjvm exports where they are, and how their entries are laid out.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libvmscan/memory/image_symbols.h"

namespace vmscan {

class VmStructs {
 public:
  /// Nothing when the image exports no such tables, or they hold nothing.
  static std::optional<VmStructs> read(const ImageSymbols& exported, std::size_t word_bytes);

  /// Where a static field lies. `field` is "Type::_name".
  std::optional<Address> place(const std::string& field) const;
  /// Where a field lies within its object.
  std::optional<std::uint64_t> offset(const std::string& field) const;
  std::optional<std::int32_t> constant(const std::string& name) const;

 private:
  struct Field {
    bool is_static = false;
    std::uint64_t value = 0;  // address or offset
  };
  std::map<std::string, Field> fields_;
  std::map<std::string, std::int32_t> constants_;
};

}  // namespace vmscan
