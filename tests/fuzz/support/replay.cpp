// Gives files to fuzzers and tells what each cost.
//   vmscan_replay SEEDS            the files of the folder SEEDS/NAME to the fuzzer NAME, for each
//   vmscan_replay NAME FILE...     these files, or all in these folders; a line for each: CPU ms, peak KiB, file
//   vmscan_replay -mutate SECONDS KEPT NAME FILE...
//                                  changes them at random for so long; the last input is in the file KEPT
// A fuzzer that finds something ends the program.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/support/budget.h"
#include "tests/fuzz/support/mutate.h"

using Fuzzer = int(const std::uint8_t*, std::size_t);
#define FUZZER(name) extern "C" Fuzzer name;
#include "fuzzers.inc"
#undef FUZZER

namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string_view name;
  Fuzzer* run;
};
constexpr Entry fuzzers[] = {
#define FUZZER(name) {#name, name},
#include "fuzzers.inc"
#undef FUZZER
};

std::vector<fs::path> files_in(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

vmscan::tests::Cost run(const Entry& fuzzer, const std::string& bytes) {
  fuzzer.run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return vmscan::tests::last_cost();
}

void give(const Entry& fuzzer, const fs::path& file) {
  std::fprintf(stderr, "%s\n", file.c_str());  // for the message, when it ends the program
  const vmscan::tests::Cost cost = run(fuzzer, content_of(file));
  std::printf("%.1f %zu %s\n", cost.cpu_seconds * 1000, cost.peak_bytes >> 10, file.c_str());
}

const Entry* find(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(fuzzers), std::end(fuzzers), [&](const Entry& fuzzer) { return fuzzer.name == name; });
  return found == std::end(fuzzers) ? nullptr : found;
}

/// Without coverage, but at the speed of the real program. Of inputs that cost most, the dearest is kept and changed
/// further.
int mutate(const std::vector<std::string>& arguments) {
  const Entry* fuzzer = arguments.size() < 5 ? nullptr : find(arguments[3]);
  if (fuzzer == nullptr) return 2;
  std::vector<std::string> inputs;
  for (std::size_t i = 4; i < arguments.size(); ++i)
    for (const fs::path& file : files_in(arguments[i])) inputs.push_back(content_of(file));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::stol(arguments[1]));
  std::minstd_rand random(std::random_device{}());
  vmscan::tests::Cost most;
  std::size_t runs = 0;
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    std::string bytes = inputs[random() % inputs.size()];
    vmscan::tests::change_anything(bytes, random);
    std::ofstream(arguments[2], std::ios::binary) << bytes;
    const vmscan::tests::Cost cost = run(*fuzzer, bytes);
    if (cost.cpu_seconds > most.cpu_seconds || cost.peak_bytes > most.peak_bytes) inputs.push_back(bytes);
    most.cpu_seconds = std::max(most.cpu_seconds, cost.cpu_seconds);
    most.peak_bytes = std::max(most.peak_bytes, cost.peak_bytes);
  }
  std::printf("%s: %zu runs, dearest %.0f ms, %zu KiB\n", arguments[3].c_str(), runs, most.cpu_seconds * 1000,
              most.peak_bytes >> 10);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.empty()) return 2;
  if (arguments[0] == "-mutate") return mutate(arguments);
  std::size_t given = 0;
  for (const Entry& fuzzer : fuzzers) {
    std::vector<fs::path> places;
    if (arguments.size() == 1)
      places.push_back(fs::path(arguments[0]) / fuzzer.name);
    else if (arguments[0] == fuzzer.name)
      places.assign(arguments.begin() + 1, arguments.end());
    for (const fs::path& place : places)
      if (fs::exists(place))
        for (const fs::path& file : files_in(place)) give(fuzzer, file), ++given;
  }
  return given > 0 ? 0 : 2;
}
