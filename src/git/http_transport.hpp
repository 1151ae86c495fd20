#pragma once

namespace podctl::git {

// Makes libgit2 reach http and https by the session's http::Client instead of its own transport,
// which knows other proxies, certificates and redirects than podctl's downloads do.
void register_http_transport();

}  // namespace podctl::git
