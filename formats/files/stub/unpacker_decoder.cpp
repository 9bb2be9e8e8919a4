// In a build without libzstd and zlib.
#include "formats/files/unpacker_decoder.h"

namespace vmscan::formats {

std::unique_ptr<Unpacker::Decoder> make_decoder(Compression) { return nullptr; }

}  // namespace vmscan::formats
