#include "podctl/base/certificates.hpp"

#include <unistd.h>

#include <cstdlib>

namespace podctl {

std::string certificate_bundle() {
    constexpr const char* places[] = {
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch
        "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora, RHEL, Rocky
        "/etc/ssl/cert.pem",                   // Alpine, OpenSSL's own
    };
    return certificate_bundle(places);
}

std::string certificate_bundle(std::span<const char* const> places) {
    // A chosen file that is not there is an error for TLS to tell, not a reason to trust others.
    for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"})
        if (const char* file = std::getenv(name); file && *file) return file;
    for (const char* file : places)
        if (::access(file, R_OK) == 0) return file;
    return {};
}

}  // namespace podctl
