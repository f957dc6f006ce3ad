#include "bandwidth/loops.hpp"

namespace movepages {
namespace {

// Every processor of 64 bits loads and stores 16 bytes at once.
typedef std::uint64_t Pack __attribute__((vector_size(16), may_alias));

constexpr std::size_t kPacks = kStride / sizeof(Pack);
static_assert(kPacks == 4, "the loops are unrolled by hand");

// The compiler may neither leave out an access before this nor turn a loop with it into a call of
// memcpy(3) or memset(3), whose stores bypass the caches.
inline void keep_accesses() noexcept { asm volatile("" ::: "memory"); }

}  // namespace

std::uint64_t sum_words(const unsigned char* memory, std::size_t bytes) noexcept {
  const auto* at = reinterpret_cast<const Pack*>(memory);
  const Pack* const end = at + bytes / sizeof(Pack);
  Pack a = {0, 0};
  Pack b = a;
  Pack c = a;
  Pack d = a;
  keep_accesses();
  for (; at < end; at += kPacks) {
    a += at[0];
    b += at[1];
    c += at[2];
    d += at[3];
  }
  a += b + c + d;
  return a[0] + a[1];
}

void write_words(unsigned char* memory, std::size_t bytes) noexcept {
  auto* at = reinterpret_cast<Pack*>(memory);
  const Pack* const end = at + bytes / sizeof(Pack);
  const auto first = reinterpret_cast<std::uintptr_t>(memory);
  Pack own = {first, first + sizeof(std::uint64_t)};
  for (; at < end; at += kPacks) {
    at[0] = own;
    at[1] = own + sizeof(Pack);
    at[2] = own + 2 * sizeof(Pack);
    at[3] = own + 3 * sizeof(Pack);
    own += kStride;
    keep_accesses();
  }
}

void copy_words(unsigned char* memory, const unsigned char* source, std::size_t bytes) noexcept {
  auto* to = reinterpret_cast<Pack*>(memory);
  const auto* from = reinterpret_cast<const Pack*>(source);
  const Pack* const end = to + bytes / sizeof(Pack);
  for (; to < end; to += kPacks, from += kPacks) {
    const Pack a = from[0];
    const Pack b = from[1];
    const Pack c = from[2];
    const Pack d = from[3];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    keep_accesses();
  }
}

void flush_lines([[maybe_unused]] const unsigned char* memory, [[maybe_unused]] std::size_t bytes,
                 [[maybe_unused]] std::size_t line) noexcept {
#if defined(__x86_64__)
  for (std::size_t at = 0; at < bytes; at += line) __builtin_ia32_clflush(memory + at);
  __builtin_ia32_mfence();
#elif defined(__aarch64__)
  for (std::size_t at = 0; at < bytes; at += line) {
    asm volatile("dc civac, %0" ::"r"(memory + at) : "memory");
  }
  asm volatile("dsb sy" ::: "memory");
#endif
}

}  // namespace movepages
