// Reads a whole file without running Python code, so that no signal handler can raise and leave the
// file open.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

namespace movepages {

// Calls a function with each line of a text. The end of the line is replaced by a null character,
// so that C functions can read the line.
template <typename Function>
void for_each_line(std::string* text, Function take) {
  for (std::size_t at = 0, end = 0; (end = text->find('\n', at)) != std::string::npos;
       at = end + 1) {
    (*text)[end] = '\0';
    take(std::string_view(text->data() + at, end - at));
  }
}

// Returns 0, or the errno of the open or read that failed. Throws std::bad_alloc. The buffer grows
// while reading, because files in /proc do not report their size.
inline int read_whole_file(const char* path, std::string* content) {
  struct File {
    const int number;
    ~File() {
      if (number >= 0) ::close(number);
    }
  };
  const File file = {::open(path, O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) return errno;
  constexpr std::size_t kFirst = std::size_t{1} << 16;
  std::size_t filled = 0;
  int error = 0;
  for (;;) {
    if (filled == content->size()) content->resize(filled == 0 ? kFirst : 2 * filled);
    const ssize_t got = ::read(file.number, content->data() + filled, content->size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      error = got < 0 ? errno : 0;
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  content->resize(filled);
  return error;
}

}  // namespace movepages
