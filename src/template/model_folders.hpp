#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::tmpl {

// The folder under models/ that somebody means who writes one that neither ComfyUI nor a pack that
// is known here reads: loras for lora, Loras and lroas. nullopt: it is read, or is a name that
// nothing is known of, as any pack may have its own.
std::optional<std::string> folder_meant(std::string_view first_component);

}  // namespace podctl::tmpl
