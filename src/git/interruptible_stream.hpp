#pragma once

namespace podctl::git {

// Makes libgit2 use podctl's sockets for git and ssh. They give up on a server that is silent for a
// minute, end at a stop, never raise SIGPIPE, and connect to nothing that is out of the Contact's
// reach.
void register_interruptible_stream();

}  // namespace podctl::git
