#pragma once

namespace podctl::git {

// Makes a stop end a checkout between two files: libgit2 asks its filters before each of them, and
// nobody else once it has begun to write.
void register_stop_filter();

}  // namespace podctl::git
