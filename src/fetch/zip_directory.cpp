#include "zip_directory.hpp"

#include <algorithm>

namespace podctl::fetch {
namespace {

constexpr std::size_t end_size = 22;
constexpr std::size_t max_comment = 0xFFFF;
constexpr std::size_t locator_size = 20, end64_size = 56;
constexpr std::size_t member_size = 46, local_size = 30;
constexpr std::uint64_t is_in_zip64 = 0xFFFFFFFF;

struct End {
    std::uint64_t at = 0;  // where the directory ends
    std::uint64_t count = 0, size = 0, offset = 0;
};

std::string copy(const FileBytes& file, std::uint64_t at, std::size_t size) {
    return std::string{file.part(at, size)};
}

std::optional<End> end64(const FileBytes& file, std::uint64_t end) {
    if (end < locator_size) return std::nullopt;
    const auto locator = copy(file, end - locator_size, locator_size);
    if (!locator.starts_with("PK\6\7")) return std::nullopt;
    // Where bytes stand before the archive, the place that is named is another; the record is
    // right before its locator all the same.
    for (const auto at : {little_endian<8>(locator, 8),
                          end >= locator_size + end64_size ? end - locator_size - end64_size : 0}) {
        const auto record = copy(file, at, end64_size);
        if (record.size() == end64_size && record.starts_with("PK\6\6"))
            return End{.at = at,
                       .count = little_endian<8>(record, 32),
                       .size = little_endian<8>(record, 40),
                       .offset = little_endian<8>(record, 48)};
    }
    return std::nullopt;
}

// Whether a directory ends right before `end.at`.
bool is_directory(const FileBytes& file, const End& end) {
    if (end.size > end.at) return false;
    if (end.count == 0) return end.size == 0;
    return file.part(end.at - end.size, 4) == "PK\1\2";
}

std::optional<End> find_end(const FileBytes& file) {
    if (file.size() < end_size) return std::nullopt;
    const auto tail_size =
        static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), end_size + max_comment));
    const auto from = file.size() - tail_size;
    const auto tail = copy(file, from, tail_size);
    for (auto at = tail.rfind("PK\5\6"); at != tail.npos && tail.size() >= end_size;
         at = at == 0 ? tail.npos : tail.rfind("PK\5\6", at - 1)) {
        if (tail.size() - at < end_size) continue;
        End end{.at = from + at,
                .count = little_endian<2>(tail, at + 10),
                .size = little_endian<4>(tail, at + 12),
                .offset = little_endian<4>(tail, at + 16)};
        if (const auto larger = end64(file, end.at)) end = *larger;
        if (is_directory(file, end)) return end;
    }
    return std::nullopt;
}

// The 64-bit values of a member whose 32-bit ones are full, in that order (4.5.3).
void read_zip64(std::string_view extra, ZipMember& member) {
    while (extra.size() >= 4) {
        const auto id = little_endian<2>(extra), size = little_endian<2>(extra, 2);
        auto field = extra.substr(4, size);
        extra.remove_prefix(std::min<std::size_t>(extra.size(), 4 + size));
        if (id != 1) continue;
        for (auto* value : {&member.size, &member.packed, &member.offset}) {
            if (*value != is_in_zip64 || field.size() < 8) continue;
            *value = little_endian<8>(field);
            field.remove_prefix(8);
        }
        return;
    }
}

}  // namespace

std::optional<ZipDirectory> read_zip_directory(const FileBytes& file, std::size_t max_members) {
    const auto end = find_end(file);
    if (!end) return std::nullopt;
    ZipDirectory directory{.begin = end->at - end->size, .count = end->count};
    // Bytes before the archive move all of it.
    const auto shift = directory.begin >= end->offset ? directory.begin - end->offset : 0;
    for (auto at = directory.begin; at < end->at && directory.members.size() < max_members;) {
        const auto head = copy(file, at, member_size);
        if (head.size() < member_size || !head.starts_with("PK\1\2")) break;
        const auto name = static_cast<std::size_t>(little_endian<2>(head, 28));
        const auto extra = static_cast<std::size_t>(little_endian<2>(head, 30));
        const auto comment = static_cast<std::size_t>(little_endian<2>(head, 32));
        ZipMember member{.name = copy(file, at + member_size, name),
                         .packed = little_endian<4>(head, 20),
                         .size = little_endian<4>(head, 24),
                         .offset = little_endian<4>(head, 42),
                         .encrypted = (little_endian<2>(head, 8) & 1) != 0};
        read_zip64(file.part(at + member_size + name, extra), member);
        member.offset += shift;
        directory.members.push_back(std::move(member));
        at += member_size + name + extra + comment;
    }
    directory.count = std::max<std::uint64_t>(directory.count, directory.members.size());
    return directory;
}

bool has_overlaps(ZipDirectory directory) {
    std::ranges::sort(directory.members, {}, &ZipMember::offset);
    for (std::size_t i = 0; i < directory.members.size(); ++i) {
        const auto& member = directory.members[i];
        const auto next =
            i + 1 < directory.members.size() ? directory.members[i + 1].offset : directory.begin;
        if (next < member.offset) return true;
        const auto room = next - member.offset;
        if (room < local_size || room - local_size < member.packed) return true;
    }
    return false;
}

}  // namespace podctl::fetch
