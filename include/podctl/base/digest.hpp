#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl {

// A SHA-256 over a stream.
class Sha256 {
public:
    Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void update(const void* data, std::size_t size);
    void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
    // Lower-case hex; the object starts anew.
    std::string finish();

private:
    friend std::string sha256_base64(std::string_view bytes);
    using Digest = std::array<unsigned char, 32>;
    Digest finish_digest();

    struct Context;
    std::unique_ptr<Context> context_;
};

// 64 hexadecimal digits of any case.
bool is_sha256(std::string_view text);
// 40 hexadecimal digits of any case: a commit, a blob.
bool is_git_id(std::string_view text);

// Lower-case hex.
std::string sha256_hex(std::string_view bytes);
// As a Content-Security-Policy names a script: base64.
std::string sha256_base64(std::string_view bytes);
// What the handshake of a WebSocket is made of (RFC 6455 §4.2.2); no digest to trust.
std::string base64_of_sha1(std::string_view bytes);
std::string base64(std::string_view bytes);  // RFC 4648 §4, padded
// As git names a file's content: hex of a SHA-1, which tells a damaged file from a whole one.
std::string git_blob_id(std::string_view bytes);
// Reads the file in large blocks. Throws Error{io}, Error{interrupted}.
std::string git_blob_id_of_file(const std::filesystem::path& path, std::stop_token stop = {});
// Reads the file in large blocks. Throws Error{io}, Error{interrupted}.
std::string sha256_file(const std::filesystem::path& path, std::stop_token stop = {});

}  // namespace podctl
