#include "state_trust.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/serve/control.hpp"

#include "control_address.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podctl::serve {

namespace {

namespace fs = std::filesystem;

struct stat stat_of_folder(const Fd& folder, const fs::path& path) {
    struct stat status {};
    if (::fstat(folder.get(), &status) != 0)
        throw system_error("cannot look at " + path.string(), errno);
    return status;
}

// Root looks after the pods of others, too: where the whole root is the other's, and nobody else
// can have put the state there.
bool is_a_pod_of_its_owner(const struct stat& folder, const fs::path& state) {
    if (::geteuid() != 0 || is_open_to_others(folder)) return false;
    const fs::path path = state.parent_path();
    const Fd root = open_folder_beneath(path, Missing::fail);
    if (!root) return false;
    const auto status = stat_of_folder(root, path);
    return status.st_uid == folder.st_uid && !is_open_to_others(status);
}

// A pod of root's may be asked by others, whom it turns away itself.
std::string reason_against_state(const Fd& folder, const struct stat& status) {
    if (status.st_uid == 0 && !is_open_to_others(status)) return {};
    return reason_to_distrust_folder(folder.get(), folder.get());
}

}  // namespace

void check_state_folder(const Fd& folder, const fs::path& state) {
    const auto status = stat_of_folder(folder, state);
    const auto reason = reason_against_state(folder, status);
    if (reason.empty() || is_a_pod_of_its_owner(status, state)) return;
    throw Error{
        ErrorKind::launch,
        fmt::format("{} {}, so nothing that it says of a pod is believed", state.string(), reason),
        "`podctl up` moves it aside; if it is yours: chown it and `chmod 700` it"};
}

void check_state(const fs::path& state) {
    for (const auto& path : {state, state / "logs"})
        if (const Fd folder = open_folder(path)) check_state_folder(folder, path);
}

}  // namespace podctl::serve
