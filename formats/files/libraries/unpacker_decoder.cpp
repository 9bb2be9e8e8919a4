// Over libzstd and zlib.
#include "formats/files/unpacker_decoder.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

namespace vmscan::formats {
namespace {

constexpr int largest_window_log = 27;  // 128 MiB; what `zstd -d` takes without being asked

class ZstdDecoder : public Unpacker::Decoder {
 public:
  ZstdDecoder() { ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, largest_window_log); }

  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const std::uint64_t before = taken_;
    const std::size_t left = ZSTD_decompressStream(context_.get(), &output, &input);
    taken_ += input.pos;
    Step step{.taken = input.pos, .given = output.pos, .at_frame_end = left == 0, .broken = {}};
    if (ZSTD_isError(left)) step.broken = fmt::format("zstd: broken at byte {}: {}", before, ZSTD_getErrorName(left));
    return step;
  }
  std::string_view ends_too_early() const override { return "zstd: the last frame ends too early"; }

 private:
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  std::uint64_t taken_ = 0;
};

class GzipDecoder : public Unpacker::Decoder {
 public:
  GzipDecoder() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }

  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    constexpr std::size_t most = std::size_t{1} << 30;  // zlib counts in 32 bits
    const std::size_t in_size = std::min(in.size(), most), out_size = std::min(out.size(), most);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));  // zlib only reads there
    stream_.avail_in = static_cast<uInt>(in_size);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out_size);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    Step step{.taken = in_size - stream_.avail_in,
              .given = out_size - stream_.avail_out,
              .at_frame_end = status == Z_STREAM_END,
              .broken = {}};
    if (status == Z_STREAM_END)
      inflateReset(&stream_);
    else if (status != Z_OK && status != Z_BUF_ERROR)
      step.broken = fmt::format("gzip: broken: {}", stream_.msg == nullptr ? "no member begins here" : stream_.msg);
    return step;
  }
  std::string_view ends_too_early() const override { return "gzip: the file ends too early"; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

std::unique_ptr<Unpacker::Decoder> make_decoder(Compression compression) {
  if (compression == Compression::Gzip) return std::make_unique<GzipDecoder>();
  return std::make_unique<ZstdDecoder>();
}

}  // namespace vmscan::formats
