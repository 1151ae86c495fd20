#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/inert.hpp"
#include "podctl/download/place.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;

Standing by_digest(const fs::path& place, const Expected& expected, const std::stop_token& stop) {
    using enum Standing::Kind;
    if (!expected.sha256.empty()) {
        auto sha256 = sha256_file(place, stop);
        const auto kind = sha256 == expected.sha256 ? same : other;
        return {kind, std::move(sha256)};
    }
    return {git_blob_id_of_file(place, stop) == expected.git_blob ? same : other};
}

}  // namespace

Standing look_at_place(const fs::path& place, const Expected& expected,
                       const std::stop_token& stop) {
    using enum Standing::Kind;
    const auto stamp = file_stamp(place);
    if (!stamp) {
        std::error_code failed;
        return {fs::exists(fs::symlink_status(place, failed)) ? no_file : nothing};
    }
    if (expected.size && *expected.size != stamp->size) return {other};
    return expected.is_comparable() ? by_digest(place, expected, stop) : Standing{incomparable};
}

void refuse_by_name(const fs::path& place, const Admission& admission) {
    if (admission.pickle == Admission::Pickle::allow) return;
    const auto name = place.filename().string();
    require_inert(judge_name(name), admission.source, name, admission.word);
}

void refuse_by_content(const fs::path& file, const fs::path& place, const Admission& admission,
                       const std::stop_token& stop) {
    if (admission.pickle == Admission::Pickle::allow) return;
    const auto name = place.filename().string();
    require_inert(judge(file, name, stop), admission.source, name, admission.word);
}

void refuse_partial_by_content(const fs::path& partial, const fs::path& place,
                               const Admission& admission, const std::stop_token& stop) {
    try {
        check_model_format(partial, place.filename().string());
        refuse_by_content(partial, place, admission, stop);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted) discard(partial);
        throw;
    }
}

void move_into_place(const fs::path& from, const fs::path& to) {
    create_folders(to.parent_path());
    struct stat source {
    }, folder{};
    if (::stat(from.c_str(), &source) != 0)
        throw system_error("cannot read " + from.string(), errno);
    if (::stat(to.parent_path().c_str(), &folder) != 0) {
        throw system_error("cannot read " + to.parent_path().string(), errno);
    }
    if (source.st_dev == folder.st_dev) return rename_durably(from, to);
    // models/ may be a link or a mount of its own.
    remove_abandoned(to.parent_path(), to.filename().string());
    std::ifstream input{from, std::ios::binary};
    if (!input) throw system_error("cannot read " + from.string(), errno);
    AtomicFile output{to};
    std::string block(4u << 20, '\0');
    std::uint64_t copied = 0;
    while (input.read(block.data(), static_cast<std::streamsize>(block.size())) ||
           input.gcount() > 0) {
        output.write({block.data(), static_cast<std::size_t>(input.gcount())});
        copied += static_cast<std::uint64_t>(input.gcount());
    }
    if (input.bad() || copied != static_cast<std::uint64_t>(source.st_size))
        throw system_error("cannot read all of " + from.string(), errno == 0 ? EIO : errno);
    output.commit();
    remove_tree(from);
}

}  // namespace podctl::download
