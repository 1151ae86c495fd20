#include "podctl/base/digest.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/text.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <vector>

namespace podctl {

namespace {

std::string to_hex(std::span<const unsigned char> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const unsigned char byte : bytes) {
        hex += digits[byte >> 4];
        hex += digits[byte & 0xF];
    }
    return hex;
}

// Any of OpenSSL's digests; begins anew once it was finished.
class Digester {
public:
    explicit Digester(const EVP_MD* kind) : kind_(kind) { start(); }

    void update(const void* data, std::size_t size) {
        if (EVP_DigestUpdate(context_.get(), data, size) != 1) fail();
    }
    std::span<const unsigned char> finish_bytes() {
        unsigned size = 0;
        if (EVP_DigestFinal_ex(context_.get(), bytes_.data(), &size) != 1) fail();
        start();
        return {bytes_.data(), size};
    }
    std::string finish() { return to_hex(finish_bytes()); }

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    [[noreturn]] static void fail() { throw Error{ErrorKind::internal, "OpenSSL failed to hash"}; }
    void start() {
        if (!context_ || EVP_DigestInit_ex(context_.get(), kind_, nullptr) != 1) fail();
    }

    const EVP_MD* kind_;
    std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes_{};
};

}  // namespace

struct Sha256::Context {
    Digester digester{EVP_sha256()};
};

Sha256::Sha256() : context_{std::make_unique<Context>()} {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size) {
    context_->digester.update(data, size);
}

Sha256::Digest Sha256::finish_digest() {
    Digest digest{};
    std::ranges::copy(context_->digester.finish_bytes(), digest.begin());
    return digest;
}

std::string Sha256::finish() {
    return context_->digester.finish();
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_git_id(std::string_view text) {
    return text.size() == 40 && std::ranges::all_of(text, is_hex_digit);
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
    Digester sha{EVP_sha1()};
    sha.update(bytes.data(), bytes.size());
    const auto digest = sha.finish_bytes();
    return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
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

namespace {

// `take` gets the file's bytes, block by block.
template <class Take>
void read_blocks(const Fd& file, const std::filesystem::path& path, const std::stop_token& stop,
                 Take take) {
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    std::vector<char> block(1 << 20);
    for (;;) {
        if (stop.stop_requested())
            throw Error{ErrorKind::interrupted, "stopped while hashing " + path.string()};
        const ssize_t size = ::read(file.get(), block.data(), block.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw system_error("cannot read " + path.string(), errno);
        if (size == 0) return;
        take(block.data(), static_cast<std::size_t>(size));
    }
}

}  // namespace

std::string sha256_file(const std::filesystem::path& path, std::stop_token stop) {
    const Fd file = open_regular_file(path);
    Sha256 sha;
    read_blocks(file, path, stop,
                [&](const char* data, std::size_t size) { sha.update(data, size); });
    return sha.finish();
}

namespace {

// Behind it comes the content.
Digester begun_git_blob(std::uint64_t size) {
    Digester sha{EVP_sha1()};
    const std::string head = "blob " + std::to_string(size);
    sha.update(head.c_str(), head.size() + 1);
    return sha;
}

}  // namespace

std::string git_blob_id(std::string_view bytes) {
    Digester sha = begun_git_blob(bytes.size());
    sha.update(bytes.data(), bytes.size());
    return sha.finish();
}

std::string git_blob_id_of_file(const std::filesystem::path& path, std::stop_token stop) {
    const Fd file = open_regular_file(path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0)
        throw system_error("cannot look at " + path.string(), errno);
    Digester sha = begun_git_blob(static_cast<std::uint64_t>(status.st_size));
    read_blocks(file, path, stop,
                [&](const char* data, std::size_t size) { sha.update(data, size); });
    return sha.finish();
}

}  // namespace podctl
