#include "podctl/comfy/classes.hpp"

#include "client.hpp"

namespace podctl::comfy {

workflow::Classes server_classes(const std::string& url, http::Client& http,
                                 std::chrono::milliseconds timeout, std::stop_token stop) {
    Client client{http, url, Client::Clock::now() + timeout, std::move(stop)};
    client.expect_comfyui();
    return client.all_classes();
}

}  // namespace podctl::comfy
