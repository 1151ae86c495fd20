#pragma once

#include <string>
#include <string_view>

namespace podctl {

// What a file's name alone says against it: "a pickle" (is_pickle_name), "a program" (.py, .sh),
// "a format that can carry code" (.h5, .keras, .pb, .engine). Empty: nothing, its content decides.
// ComfyUI takes an extension in any case and a loader may strip dots and spaces, so neither hides
// one here. docs/models-trust.md has the lists.
std::string why_name_is_not_inert(std::string_view name);

}  // namespace podctl
