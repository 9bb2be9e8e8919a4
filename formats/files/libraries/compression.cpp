// Over libzstd.
#include "formats/files/compression.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace vmscan::formats {
namespace {

constexpr int level = 3;

}  // namespace

Result<std::string> pack_zstd(std::string_view content) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), content.data(), content.size());
  if (ZSTD_isError(size)) return fail(ErrorCode::Io, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

std::size_t whole_frames(std::string_view bytes) {
  std::size_t whole = 0;
  while (whole < bytes.size()) {
    const std::size_t size = ZSTD_findFrameCompressedSize(bytes.data() + whole, bytes.size() - whole);
    if (ZSTD_isError(size)) break;
    whole += size;
  }
  return whole;
}

}  // namespace vmscan::formats
