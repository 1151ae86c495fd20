#include "support/tls_server.hpp"

#include "podctl/base/process.hpp"
#include "podctl/base/url.hpp"

#include "support/relay.hpp"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace podctl::test {
namespace {

using Tls = std::unique_ptr<SSL, void (*)(SSL*)>;

void make_certificate(const std::filesystem::path& folder, const std::string& names) {
    const auto made = run_captured(
        {.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                  "-addext", "subjectAltName=" + names, "-keyout", (folder / "key.pem").string(),
                  "-out", (folder / "certificate.pem").string()}},
        {});
    if (!made.status.ok()) throw std::runtime_error("openssl: " + made.output);
}

bool carry_out(SSL* tls, int server) {
    std::array<char, 16384> bytes{};
    do {
        const int got = SSL_read(tls, bytes.data(), static_cast<int>(bytes.size()));
        if (got <= 0) return false;
        if (!RawConnection{server}.send({bytes.data(), static_cast<std::size_t>(got)}))
            return false;
    } while (SSL_pending(tls) > 0);
    return true;
}

bool carry_in(int server, SSL* tls) {
    std::array<char, 16384> bytes{};
    const auto got = ::recv(server, bytes.data(), bytes.size(), 0);
    return got > 0 && SSL_write(tls, bytes.data(), static_cast<int>(got)) > 0;
}

}  // namespace

TlsServer::TlsServer(std::uint16_t behind, const std::string& names)
    : behind_(behind),
      context_((make_certificate(folder_.path(), names), SSL_CTX_new(TLS_server_method())),
               SSL_CTX_free),
      server_([this](RawConnection& client) { serve(client); }),
      trusted_("SSL_CERT_FILE", (folder_ / "certificate.pem").c_str()) {
    const auto key = folder_ / "key.pem", certificate = folder_ / "certificate.pem";
    if (SSL_CTX_use_certificate_file(context_.get(), certificate.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
        throw std::runtime_error("the certificate is of no use");
}

TlsServer::~TlsServer() = default;

std::uint16_t TlsServer::port() const {
    return parse_url(server_.url())->port.value();
}

void TlsServer::serve(RawConnection& client) const {
    // SSL_write knows no MSG_NOSIGNAL.
    sigset_t pipe{};
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const Tls tls{SSL_new(context_.get()), SSL_free};
    SSL_set_fd(tls.get(), client.fd());
    if (SSL_accept(tls.get()) != 1) return;
    const LoopbackConnection server{behind_};
    while (true) {
        std::array<pollfd, 2> ready{pollfd{client.fd(), POLLIN, 0}, pollfd{server.fd(), POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), -1) < 0) return;
        if (ready[0].revents != 0 && !carry_out(tls.get(), server.fd())) return;
        if (ready[1].revents != 0 && !carry_in(server.fd(), tls.get())) return;
    }
}

}  // namespace podctl::test
