#include "podctl/base/digest.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace podctl {

struct Sha256::Context {
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> evp{EVP_MD_CTX_new()};

    void start() {
        if (!evp || EVP_DigestInit_ex(evp.get(), EVP_sha256(), nullptr) != 1)
            throw Error{ErrorKind::internal, "OpenSSL has no SHA-256"};
    }
};

Sha256::Sha256() : context_{std::make_unique<Context>()} {
    context_->start();
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size) {
    if (EVP_DigestUpdate(context_->evp.get(), data, size) != 1)
        throw Error{ErrorKind::internal, "OpenSSL failed to hash"};
}

Sha256::Digest Sha256::finish_digest() {
    Digest digest{};
    if (EVP_DigestFinal_ex(context_->evp.get(), digest.data(), nullptr) != 1)
        throw Error{ErrorKind::internal, "OpenSSL failed to hash"};
    context_->start();
    return digest;
}

std::string Sha256::finish() {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const unsigned char byte : finish_digest()) {
        hex += digits[byte >> 4];
        hex += digits[byte & 0xF];
    }
    return hex;
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

std::string base64(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // EVP_EncodeBlock ends with a NUL
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string base64_of_sha1(std::string_view bytes) {
    std::array<char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                   &size, EVP_sha1(), nullptr) != 1)
        throw Error{ErrorKind::internal, "OpenSSL has no SHA-1"};
    return base64({digest.data(), size});
}

std::string sha256_hex(std::string_view bytes) {
    Sha256 sha;
    sha.update(bytes);
    return sha.finish();
}

std::string sha256_base64(std::string_view bytes) {
    Sha256 sha;
    sha.update(bytes);
    const auto digest = sha.finish_digest();
    return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string sha256_file(const std::filesystem::path& path, std::stop_token stop) {
    const Fd fd = open_regular_file(path);
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    Sha256 sha;
    std::vector<char> block(1 << 20);
    for (;;) {
        if (stop.stop_requested())
            throw Error{ErrorKind::interrupted, "stopped while hashing " + path.string()};
        const ssize_t size = ::read(fd.get(), block.data(), block.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw system_error("cannot read " + path.string(), errno);
        if (size == 0) return sha.finish();
        sha.update(block.data(), static_cast<std::size_t>(size));
    }
}

}  // namespace podctl
