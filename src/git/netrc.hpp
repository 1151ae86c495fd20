#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::git {

struct NetrcEntry {
    std::string user, password;
};

// The first entry of a .netrc for the host; with a `user`, the first that is for him. `default` is
// passed over: it would give any server that asks a login that is meant for none of them.
// (https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html)
std::optional<NetrcEntry> find_in_netrc(std::string_view text, std::string_view host,
                                        std::string_view user);

}  // namespace podctl::git
