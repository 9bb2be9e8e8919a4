#include "formats/files/unpacker.h"

#include <fmt/format.h>

#include "formats/files/unpacker_decoder.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t step_bytes = std::size_t{1} << 18;

}  // namespace

Result<std::string> read_all(const ReadNext& next, std::uint64_t limit) {
  std::string content;
  std::vector<std::byte> buffer(step_bytes);
  for (;;) {
    const auto count = next(buffer);
    if (!count) return std::unexpected(count.error());
    if (*count == 0) return content;
    if (*count > limit - content.size())
      return fail(
          ErrorCode::Unsupported,
          fmt::format("it holds more than {} MiB: save it unpacked to a file first if that is right", limit >> 20));
    content.append(reinterpret_cast<const char*>(buffer.data()), *count);
  }
}

struct Unpacker::State {
  ReadNext packed;
  std::unique_ptr<Decoder> decoder;
  std::vector<std::byte> buffer = std::vector<std::byte>(step_bytes);
  std::span<const std::byte> in;  // what is left of the buffer
  bool input_ended = false, at_frame_end = false, ended = false;
  std::uint64_t given = 0;
  std::string broken;
  std::vector<Note> notes;

  Result<void> refill() {
    const auto count = packed(buffer);
    if (!count) return std::unexpected(count.error());
    in = std::span(buffer).first(*count);
    input_ended = *count == 0;
    return {};
  }

  Result<std::size_t> end_with(ErrorCode code, const std::string& why) {
    ended = true;
    if (given == 0) return fail(code, why);
    notes.push_back({"cut_frame", fmt::format("{}; what comes before that was read", why)});
    return std::size_t{0};
  }
};

Unpacker::Unpacker(std::unique_ptr<State> state) : state_(std::move(state)) {}
Unpacker::Unpacker(Unpacker&&) noexcept = default;
Unpacker& Unpacker::operator=(Unpacker&&) noexcept = default;
Unpacker::~Unpacker() = default;

Result<Unpacker> Unpacker::open(ReadNext packed, Compression compression) {
  auto state = std::make_unique<State>();
  state->packed = std::move(packed);
  state->decoder = make_decoder(compression);
  if (state->decoder == nullptr)
    return fail(ErrorCode::Unsupported, "it is compressed, which this build cannot read: unpack it first");
  return Unpacker(std::move(state));
}

Result<std::size_t> Unpacker::read(std::span<std::byte> buffer) {
  State& state = *state_;
  while (!state.ended) {
    if (state.in.empty() && !state.input_ended)
      if (const auto filled = state.refill(); !filled) return std::unexpected(filled.error());
    const bool no_input = state.in.empty();
    if (no_input && state.at_frame_end) break;
    Decoder::Step step = state.broken.empty() ? state.decoder->step(state.in, buffer) : Decoder::Step{};
    state.in = state.in.subspan(step.taken);
    state.at_frame_end = step.at_frame_end;
    state.given += step.given;
    if (!step.broken.empty()) state.broken = std::move(step.broken);
    if (step.given > 0) return step.given;
    if (!state.broken.empty()) return state.end_with(ErrorCode::Malformed, state.broken);
    if (no_input && !step.at_frame_end)
      return state.end_with(ErrorCode::Truncated, std::string(state.decoder->ends_too_early()));
  }
  return std::size_t{0};
}

const std::vector<Note>& Unpacker::notes() const { return state_->notes; }

}  // namespace vmscan::formats
