#include "support/in_memory.hpp"

#include "podctl/base/fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace podctl::test {

std::uint64_t bytes_in_memory(const std::filesystem::path& file) {
    const Fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    const auto size = std::filesystem::file_size(file);
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) return 0;
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((size + page - 1) / page);
    std::uint64_t found = 0;
    if (::mincore(mapped, size, pages.data()) == 0)
        for (std::uint64_t at = 0; at < pages.size(); ++at)
            if ((pages[at] & 1) != 0) found += std::min(page, size - at * page);
    ::munmap(mapped, size);
    return found;
}

}  // namespace podctl::test
