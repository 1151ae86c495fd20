#pragma once

namespace podctl::git {

// Makes libgit2's own ways by git:// and ssh note what comes, and end at a stop also where a server
// never ceases to send.
void register_socket_transports();

}  // namespace podctl::git
