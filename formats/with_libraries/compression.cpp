// Over libzstd and zlib.
#include "formats/compression.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace vmscan::formats {
namespace {

constexpr std::size_t step_bytes = std::size_t{1} << 18;
constexpr int largest_window_log = 27;  // 128 MiB; what `zstd -d` takes without being asked
constexpr int level = 3;

Error too_large(std::uint64_t limit) {
  return {ErrorCode::Unsupported,
          fmt::format("it unpacks to more than {} MiB: unpack it first if that is right", limit >> 20)};
}

/// What both formats do at a break: what came out stands, with a note; nothing at all is an error.
Result<Unpacked> settle(Unpacked unpacked, ErrorCode code, const std::string& why) {
  if (unpacked.content.empty()) return fail(code, why);
  unpacked.notes.push_back({"cut_frame", fmt::format("{}; what comes before that was read", why)});
  return unpacked;
}

Result<Unpacked> unpack_zstd(std::string_view bytes, std::uint64_t limit) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, largest_window_log);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  Unpacked unpacked;
  const std::unique_ptr<char[]> buffer(new char[step_bytes]);
  for (std::size_t left = 1;;) {
    if (in.pos == in.size && left == 0) return unpacked;
    ZSTD_outBuffer out{buffer.get(), step_bytes, 0};
    const std::size_t before = in.pos;
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (unpacked.content.size() + out.pos > limit) return std::unexpected(too_large(limit));
    unpacked.content.append(buffer.get(), out.pos);
    if (ZSTD_isError(left))
      return settle(std::move(unpacked), ErrorCode::Malformed,
                    fmt::format("zstd: broken at byte {}: {}", before, ZSTD_getErrorName(left)));
    if (in.pos == in.size && left != 0 && out.pos == 0 && before == in.pos)
      return settle(std::move(unpacked), ErrorCode::Truncated, "zstd: the last frame ends too early");
  }
}

class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

Result<Unpacked> unpack_gzip(std::string_view bytes, std::uint64_t limit) {
  Inflater inflater;
  z_stream& stream = inflater.stream();
  Unpacked unpacked;
  const std::unique_ptr<Bytef[]> buffer(new Bytef[step_bytes]);
  const auto feed = [&] {  // zlib counts its input in 32 bits
    const std::size_t n = std::min(bytes.size(), std::size_t{1} << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads there
    stream.avail_in = static_cast<uInt>(n);
    bytes.remove_prefix(n);
  };
  for (;;) {
    if (stream.avail_in == 0) feed();
    stream.next_out = buffer.get();
    stream.avail_out = static_cast<uInt>(step_bytes);
    const int status = inflate(&stream, Z_NO_FLUSH);
    const std::size_t got = step_bytes - stream.avail_out;
    if (unpacked.content.size() + got > limit) return std::unexpected(too_large(limit));
    unpacked.content.append(reinterpret_cast<const char*>(buffer.get()), got);
    const bool at_end = stream.avail_in == 0 && bytes.empty();
    if (status == Z_STREAM_END) {
      if (at_end) return unpacked;
      inflateReset(&stream);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return settle(std::move(unpacked), ErrorCode::Malformed,
                    fmt::format("gzip: broken: {}", stream.msg == nullptr ? "no member begins here" : stream.msg));
    } else if (at_end && got == 0) {
      return settle(std::move(unpacked), ErrorCode::Truncated, "gzip: the file ends too early");
    }
  }
}

}  // namespace

Result<Unpacked> unpack(std::string bytes, Compression compression, std::uint64_t limit) {
  switch (compression) {
    case Compression::Zstd:
      return unpack_zstd(bytes, limit);
    case Compression::Gzip:
      return unpack_gzip(bytes, limit);
    case Compression::None:
      break;
  }
  return Unpacked{std::move(bytes), {}};
}

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
