#pragma once

#include "support/raw_server.hpp"
#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <cstdint>
#include <memory>
#include <string>

struct ssl_ctx_st;

namespace podctl::test {

// TLS before a plain server of 127.0.0.1, with a certificate of its own for the names:
// "DNS:a.example" or "IP:127.0.0.1", with commas between. $SSL_CERT_FILE names it while it lives.
class TlsServer {
public:
    TlsServer(std::uint16_t behind, const std::string& names);
    ~TlsServer();
    std::uint16_t port() const;
    std::filesystem::path certificate() const { return folder_ / "certificate.pem"; }

private:
    void serve(RawConnection& client) const;

    TempDir folder_;
    const std::uint16_t behind_;
    std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
    RawServer server_;
    SetEnv trusted_;
};

}  // namespace podctl::test
