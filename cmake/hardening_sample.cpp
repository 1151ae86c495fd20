// What a compiler can guard, in small, for scripts/check_hardening: a buffer on the stack, one
// whose size is known only when it runs, a frame of many pages, an index into a vector, functions
// that are called through pointers.
#include <array>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace {

template <int number>
[[gnu::noinline]] int say(const char* text) {
    return std::printf("%d %s\n", number, text);
}

template <int... numbers>
constexpr auto all(std::integer_sequence<int, numbers...>) {
    return std::array{&say<numbers>...};
}

}  // namespace

int main(int count, char** arguments) {
    constexpr auto functions = all(std::make_integer_sequence<int, 64>{});
    const auto at = static_cast<std::size_t>(count);
    char small[16];
    std::strcpy(small, arguments[0]);
    std::vector<char> room(at * 2);
    std::memcpy(room.data(), small, std::strlen(arguments[0]));
    volatile char pages[1 << 16];
    pages[count] = room[std::strlen(small)];
    return functions[at](small) + pages[count];
}
