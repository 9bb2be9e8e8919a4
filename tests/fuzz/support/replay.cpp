// Gives files to fuzzers and tells what each cost.
//   vmscan_replay SEEDS            the files of the folder SEEDS/NAME to the fuzzer NAME, for each
//   vmscan_replay NAME FILE...     these files, or all in these folders; a line for each: CPU ms, peak KiB, file
// A fuzzer that finds something ends the program.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/support/budget.h"

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

void give(const Entry& fuzzer, const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  std::fprintf(stderr, "%s\n", file.c_str());  // for the message, when it ends the program
  fuzzer.run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  const vmscan::tests::Cost cost = vmscan::tests::last_cost();
  std::printf("%.1f %zu %s\n", cost.cpu_seconds * 1000, cost.peak_bytes >> 10, file.c_str());
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.empty()) return 2;
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
