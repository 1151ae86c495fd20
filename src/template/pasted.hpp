#pragma once

#include "diagnostics.hpp"
#include "value.hpp"

namespace podctl::tmpl {

// Puts `git` and `ref` where a repository stands as a page of its hub (git_page.hpp), so that all
// who come after see a repository; of one that is not clear the line to write is told. Runs before
// validate(), on a tree whose shape nobody has looked at yet.
void understand_pasted(Value& root, Diagnostics& diagnostics);

}  // namespace podctl::tmpl
