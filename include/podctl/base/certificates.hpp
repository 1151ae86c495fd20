#pragma once

#include <span>
#include <string>

namespace podctl {

// The file with the certificates that TLS trusts: what SSL_CERT_FILE names (OpenSSL's own
// variable), else CURL_CA_BUNDLE; else the distribution's, which each keeps elsewhere. Empty: none
// is there. Every TLS client in podctl is given this one: a statically linked library knows no
// place of its own, and they must not differ in whom they trust.
std::string certificate_bundle();
// As certificate_bundle(), with the places where a distribution may keep it.
std::string certificate_bundle(std::span<const char* const> places);

}  // namespace podctl
