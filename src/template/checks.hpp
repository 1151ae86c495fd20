#pragma once

#include "diagnostics.hpp"
#include "formats.hpp"
#include "value.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

// What one key alone can not tell: two values that exclude each other, names that nothing has. They
// run after validate() and leave alone what it found faulty.
namespace podctl::tmpl {

struct Checking {
    Value& root;
    const PathContext& context;
    Diagnostics& diagnostics;
};

void check_folders(const Checking& checking);  // comfyui.path, python.path, repositories
void check_models(const Checking& checking);
void check_nodes(const Checking& checking);
void check_services(const Checking& checking);
void check_mirrors(const Checking& checking);
void check_sharing(const Checking& checking);  // packs of the pod's own want an environment that is
void check_secrets(const Checking& checking);  // what narrows `secrets` names some of them

void check_all(Value& root, const PathContext& context, Diagnostics& diagnostics);

// The text of a key of a mapping; nullptr: absent, empty, faulty or no scalar.
const std::string* text_of(const Value& mapping, std::string_view key);
// The key's value where it is fit to be looked at; nullptr otherwise.
Value* usable(Value& mapping, std::string_view key);
// The items of a list of the template; empty where there is none.
std::span<Value> items_of(Value& root, std::string_view key);

// A short form's field, or the key of that name: models[0] as a source, models[0].source.
Value* field_or_short_form(Value& item, std::string_view key);

// Who took a name first, so that the second one can be told.
class Claims {
public:
    // "models[0] (line 12)" of the one who has it already, or nullopt and it is taken now.
    std::optional<std::string> claim(const std::string& what, const std::string& by,
                                     const Place& place);

private:
    struct Claim {
        std::string by;
        Place place;
    };
    std::unordered_map<std::string, Claim> claims_;
};

}  // namespace podctl::tmpl
