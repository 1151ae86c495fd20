#pragma once

#include "support/hub.hpp"

#include <nlohmann/json.hpp>

// What Civitai's API says.
namespace podctl::test {

nlohmann::json images_json(const CivitaiVersion& version, const HttpServer& server);
nlohmann::json version_json(const CivitaiVersion& version, const HttpServer& images);

}  // namespace podctl::test
