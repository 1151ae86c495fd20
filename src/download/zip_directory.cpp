#include "zip_directory.hpp"

#include <algorithm>

namespace podctl::download {
namespace {

constexpr std::size_t end_size = 22;
constexpr std::size_t max_comment = 0xFFFF;
constexpr std::size_t locator_size = 20, end64_size = 56;
constexpr std::size_t member_size = 46, local_size = 30;
constexpr std::uint64_t is_in_zip64 = 0xFFFFFFFF;

struct End {
    std::uint64_t at = 0;  // where the directory ends
    std::uint64_t count = 0, size = 0, offset = 0;
    bool is_64 = false;
    std::string fault = {};
};

std::string copy(const FileBytes& file, std::uint64_t at, std::size_t size) {
    return std::string{file.part(at, size)};
}

constexpr const char* two_ends = "it can be read in two ways";

// Readers that know zip64 take its values, others those of `end`: either the same, or none.
void use_end64(End& end, std::string_view record, std::uint64_t at) {
    const End larger{.at = at,
                     .count = little_endian<8>(record, 32),
                     .size = little_endian<8>(record, 40),
                     .offset = little_endian<8>(record, 48),
                     .is_64 = true};
    const bool agrees = (end.count == 0xFFFF || end.count == larger.count) &&
                        (end.size == is_in_zip64 || end.size == larger.size) &&
                        (end.offset == is_in_zip64 || end.offset == larger.offset);
    end = larger;
    if (!agrees) end.fault = two_ends;
}

// Some take the record that the locator names, others the one right before it.
void look_for_end64(const FileBytes& file, End& end) {
    if (end.at < locator_size) return;
    const auto locator = copy(file, end.at - locator_size, locator_size);
    if (!locator.starts_with("PK\6\7")) return;
    const auto before =
        end.at >= locator_size + end64_size ? end.at - locator_size - end64_size : 0;
    const auto named = little_endian<8>(locator, 8);
    const auto record = copy(file, before, end64_size);
    const bool is_before = record.size() == end64_size && record.starts_with("PK\6\6");
    if (is_before) use_end64(end, record, before);
    const bool is_elsewhere = named != before && file.part(named, 4) == "PK\6\6";
    if (!is_before || is_elsewhere) end.fault = two_ends;
}

End read_end(const FileBytes& file, std::string_view bytes, std::uint64_t at) {
    End end{.at = at,
            .count = little_endian<2>(bytes, 10),
            .size = little_endian<4>(bytes, 12),
            .offset = little_endian<4>(bytes, 16)};
    // The disks, and how many members are on this one.
    if (little_endian<4>(bytes, 4) != 0 || little_endian<2>(bytes, 8) != end.count)
        end.fault = "it is a part of several";
    look_for_end64(file, end);
    return end;
}

constexpr std::string_view member_mark = "PK\1\2";

// Whether somebody may find a directory by it: right before it, or at the place that it names.
bool is_end(const FileBytes& file, const End& end) {
    if (end.size == 0 && end.count == 0) return true;
    return (end.size <= end.at && file.part(end.at - end.size, 4) == member_mark) ||
           file.part(end.offset, 4) == member_mark;
}

// Bytes before the archive move all of it; then nothing may stand at the place that is named.
bool has_one_directory(const FileBytes& file, const End& end) {
    if (end.size > end.at || end.offset > end.at - end.size) return false;
    const auto begin = end.at - end.size;
    if (end.size > 0 && file.part(begin, 4) != member_mark) return false;
    return begin == end.offset || file.part(end.offset, 4) != member_mark;
}

// All readers begin at the last mark of an end; libarchive goes on to others when it is none.
std::optional<End> find_end(const FileBytes& file) {
    if (file.size() < end_size) return std::nullopt;
    const auto tail_size =
        static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), end_size + max_comment));
    const auto from = file.size() - tail_size;
    const auto tail = copy(file, from, tail_size);
    bool is_last = true;
    for (auto at = tail.rfind("PK\5\6", tail.size() - end_size); at != tail.npos;
         at = at == 0 ? tail.npos : tail.rfind("PK\5\6", at - 1)) {
        auto end = read_end(file, std::string_view{tail}.substr(at), from + at);
        if (is_end(file, end)) {
            if (!is_last || !has_one_directory(file, end)) end.fault = two_ends;
            return end;
        }
        is_last = false;
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

constexpr std::uint64_t is_encrypted = 1 << 0, has_sizes_behind = 1 << 3, hides_names = 1 << 13;

// The member whose entry of the directory begins at `at`, which moves on. nullopt: there is none.
std::optional<ZipMember> read_member(const FileBytes& file, std::uint64_t& at) {
    const auto head = copy(file, at, member_size);
    if (head.size() < member_size || !head.starts_with(member_mark)) return std::nullopt;
    const auto name = static_cast<std::size_t>(little_endian<2>(head, 28));
    const auto extra = static_cast<std::size_t>(little_endian<2>(head, 30));
    const auto comment = static_cast<std::size_t>(little_endian<2>(head, 32));
    const auto flags = little_endian<2>(head, 8);
    ZipMember member{.name = copy(file, at + member_size, name),
                     .packed = little_endian<4>(head, 20),
                     .size = little_endian<4>(head, 24),
                     .offset = little_endian<4>(head, 42),
                     .method = little_endian<2>(head, 10),
                     .encrypted = (flags & (is_encrypted | hides_names)) != 0};
    read_zip64(file.part(at + member_size + name, extra), member);
    at += member_size + name + extra + comment;
    return member;
}

// How many bytes the local header of a member has. nullopt: there is none, or it tells something
// else than the directory.
std::optional<std::uint64_t> agreeing_header(const FileBytes& file, const ZipMember& member) {
    const auto head = copy(file, member.offset, local_size);
    if (head.size() < local_size || !head.starts_with("PK\3\4")) return std::nullopt;
    const auto name = static_cast<std::size_t>(little_endian<2>(head, 26));
    const auto extra = static_cast<std::size_t>(little_endian<2>(head, 28));
    const auto flags = little_endian<2>(head, 6);
    ZipMember local{.packed = little_endian<4>(head, 18), .size = little_endian<4>(head, 22)};
    if (file.part(member.offset + local_size, name) != member.name) return std::nullopt;
    read_zip64(file.part(member.offset + local_size + name, extra), local);
    const bool is_open = (flags & has_sizes_behind) != 0;
    const auto fits = [&](std::uint64_t here, std::uint64_t there) {
        return here == there || (is_open && (here == 0 || here == is_in_zip64));
    };
    const bool agrees = little_endian<2>(head, 8) == member.method &&
                        ((flags & is_encrypted) != 0) == member.encrypted &&
                        fits(local.packed, member.packed) && fits(local.size, member.size);
    if (!agrees) return std::nullopt;
    return local_size + name + extra;
}

std::vector<ZipMember> by_place(const ZipDirectory& directory) {
    auto members = directory.members;
    std::ranges::stable_sort(members, {}, &ZipMember::offset);
    return members;
}

}  // namespace

bool begins_as_zip(const FileBytes& file) {
    const auto mark = copy(file, 0, 4);
    return mark == "PK\3\4" || mark == "PK\5\6" || mark == "PK\7\10" || mark == "PK00";
}

std::optional<ZipDirectory> read_zip_directory(const FileBytes& file, std::size_t max_members) {
    const auto end = find_end(file);
    if (!end) return std::nullopt;
    ZipDirectory directory{
        .begin = end->at - std::min(end->at, end->size), .count = end->count, .fault = end->fault};
    // Bytes before the archive move all of it.
    const auto shift = directory.begin >= end->offset ? directory.begin - end->offset : 0;
    auto at = directory.begin;
    while (at < end->at && directory.members.size() < max_members) {
        auto member = read_member(file, at);
        if (!member) break;
        member->offset += shift;
        directory.members.push_back(*std::move(member));
    }
    const auto found = directory.members.size();
    directory.count = std::max<std::uint64_t>(directory.count, found);
    if (found == max_members || !directory.fault.empty()) return directory;
    // Some writers without zip64 count on from 0.
    const bool is_whole =
        at == end->at && (end->is_64 ? end->count == found : end->count == found % 0x10000);
    if (!is_whole) directory.fault = "its directory is damaged";
    return directory;
}

std::string zip_fault(const FileBytes& file, const ZipDirectory& directory) {
    if (!directory.fault.empty()) return directory.fault;
    const auto members = by_place(directory);
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto& member = members[i];
        const auto next = i + 1 < members.size() ? members[i + 1].offset : directory.begin;
        if (next < member.offset) return "its members overlap";
        const auto room = next - member.offset;
        if (room < local_size || room - local_size < member.packed) return "its members overlap";
        // Python ends a name there.
        if (member.name.find('\0') != member.name.npos) return "a zero in a member's name";
        const auto header = agreeing_header(file, member);
        if (!header) return "a member's two headers differ";
        if (room < *header || room - *header < member.packed) return "its members overlap";
    }
    return {};
}

ZipRollCall::ZipRollCall(const ZipDirectory& directory) : members_(by_place(directory)) {}

const ZipMember* ZipRollCall::came(std::optional<std::uint64_t> size) {
    if (next_ == members_.size()) return nullptr;
    const auto& member = members_[next_++];
    return !size || *size == member.size ? &member : nullptr;
}

}  // namespace podctl::download
