// Changes to inputs that hold numbers: whole words at aligned places become what means something there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace vmscan::tests {

/// Changes one to four words of `size` bytes, which are at least 16.
void change_words(std::uint8_t* data, std::size_t size, std::minstd_rand& random);

/// That, or single bytes, or a part that is put in, taken out or repeated.
void change_anything(std::string& bytes, std::minstd_rand& random);

}  // namespace vmscan::tests
