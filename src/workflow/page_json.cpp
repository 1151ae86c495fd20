#include "page_json.hpp"

namespace podctl::workflow {

std::optional<nlohmann::json> parse_page_json(std::string_view text) {
    return parse_python_json(text, workflow_limits);
}

}  // namespace podctl::workflow
