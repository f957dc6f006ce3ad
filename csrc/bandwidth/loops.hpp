// Passes over memory. All loads and stores are ordinary: no prefetch, and no streaming store, which
// would leave out the reads that a cache does before a write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace movepages {

// Ranges have a multiple of this many bytes, and begin at a multiple of it.
constexpr std::size_t kStride = 64;

// Returns the sum of all 64-bit words modulo 2**64.
std::uint64_t sum_words(const unsigned char* memory, std::size_t bytes) noexcept;

// Writes its own address into each 64-bit word.
void write_words(unsigned char* memory, std::size_t bytes) noexcept;

void copy_words(unsigned char* memory, const unsigned char* source, std::size_t bytes) noexcept;

// Writes the lines of a range back to memory, so that no cache holds them. Does nothing on
// processors other than x86-64 and AArch64.
void flush_lines(const unsigned char* memory, std::size_t bytes, std::size_t line) noexcept;

}  // namespace movepages
