// One compression of Unpacker.
#pragma once

#include <span>
#include <string>

#include "formats/files/unpacker.h"

namespace vmscan::formats {

class Unpacker::Decoder {
 public:
  struct Step {
    std::size_t taken = 0, given = 0;  // bytes of input and output
    bool at_frame_end = false;         // all input so far is whole frames
    std::string broken;                // why it cannot go on; else empty
  };

  virtual ~Decoder() = default;
  virtual Step step(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  virtual std::string_view ends_too_early() const = 0;
};

/// Null in a build without the libraries.
std::unique_ptr<Unpacker::Decoder> make_decoder(Compression compression);

}  // namespace vmscan::formats
