#include "podctl/base/secret_names.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <mutex>
#include <set>

namespace podctl {

namespace {

using Words = std::vector<std::string>;

bool is_upper(char c) {
    return std::isupper(static_cast<unsigned char>(c)) != 0;
}
bool is_lower(char c) {
    return std::islower(static_cast<unsigned char>(c)) != 0;
}

template <std::size_t Size>
bool is_one_of(std::string_view word, const std::array<std::string_view, Size>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// apiKey and HFToken are two words each: a capital begins one behind a small letter, and before
// one.
bool begins_word(std::string_view name, std::size_t at) {
    if (at == 0 || !is_upper(name[at])) return false;
    if (is_lower(name[at - 1]) || is_digit(name[at - 1])) return true;
    return is_upper(name[at - 1]) && at + 1 < name.size() && is_lower(name[at + 1]);
}

// In lower case, without the numbers at their ends: TOKEN_2, KEY1.
Words words_of(std::string_view name) {
    Words words;
    std::string word;
    const auto end_word = [&] {
        while (!word.empty() && is_digit(word.back()))
            word.pop_back();
        if (!word.empty()) words.push_back(to_lower(word));
        word.clear();
    };
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (!is_alphanumeric(name[i]) || begins_word(name, i)) end_word();
        if (is_alphanumeric(name[i])) word += name[i];
    }
    end_word();
    return words;
}

bool is_key(std::string_view word) {
    static constexpr std::array<std::string_view, 8> keys = {
        "key", "keys", "apikey", "apikeys", "accesskey", "secretkey", "privatekey", "authkey"};
    return is_one_of(word, keys);
}

bool speaks_of_secret(std::string_view word) {
    static constexpr std::array<std::string_view, 6> parts = {
        "secret", "password", "passwd", "passphrase", "passcode", "credential"};
    const auto holds = [&](std::string_view part) { return word.find(part) != word.npos; };
    return std::any_of(parts.begin(), parts.end(), holds) || word.ends_with("token") ||
           word.ends_with("apikey");
}

// Short for one, where it does not stand alone: PWD is the shell's folder.
bool abbreviates_secret(std::string_view word) {
    static constexpr std::array<std::string_view, 5> short_forms = {"pass", "pwd", "cred", "creds",
                                                                    "pat"};
    return is_one_of(word, short_forms);
}

struct Listed {
    std::mutex mutex;
    std::set<std::string, std::less<>> names;
};

Listed& listed() {
    static Listed instance;
    return instance;
}

bool is_ordinary_word(std::string_view value) {
    constexpr std::size_t longest_word = 12;
    return value.size() < longest_word &&
           std::all_of(value.begin(), value.end(), [](char c) { return is_lower(c) || c == '-'; });
}

bool is_small_number(std::string_view value) {
    constexpr std::size_t longest_number = 10;
    return value.size() < longest_number && std::all_of(value.begin(), value.end(), [](char c) {
               return is_digit(c) || c == '.' || c == ',';
           });
}

// A key's place, as some variables give it (SSH_KEY=/root/.ssh/id): every error that names the file
// would be blacked out.
bool is_existing_path(std::string_view value) {
    std::error_code failed;
    return value.starts_with('/') && std::filesystem::exists(value, failed);
}

}  // namespace

bool names_a_secret(std::string_view name) {
    // A URL or a sentence is no name, and git numbers the names of its settings with this one.
    if (name.find_first_of("/: ") != std::string_view::npos) return false;
    if (name.starts_with("GIT_CONFIG_KEY_")) return false;
    static constexpr std::array<std::string_view, 12> facts = {"file",   "path", "dir",   "folder",
                                                               "name",   "url",  "type",  "limit",
                                                               "length", "size", "count", "header"};
    static constexpr std::array<std::string_view, 8> no_secret_keys = {
        "public", "pub", "authorized", "known", "cache", "sort", "primary", "foreign"};
    const Words words = words_of(name);
    if (words.empty() || is_one_of(words.back(), facts)) return false;
    if (std::any_of(words.begin(), words.end(), speaks_of_secret)) return true;
    const bool harmless = std::any_of(words.begin(), words.end(), [](const std::string& word) {
        return is_one_of(word, no_secret_keys);
    });
    if (!harmless && std::any_of(words.begin(), words.end(), is_key)) return true;
    return words.size() > 1 && abbreviates_secret(words.back());
}

bool is_secret_parameter(std::string_view name) {
    static constexpr std::array<std::string_view, 12> signing = {"signature",      "sig",
                                                                 "policy",         "expires",
                                                                 "key-pair-id",    "awsaccesskeyid",
                                                                 "googleaccessid", "ossaccesskeyid",
                                                                 "auth",           "q-signature",
                                                                 "hmac",           "jwt"};
    const std::string lower = to_lower(name);
    return lower.starts_with("x-amz-") || lower.starts_with("x-goog-") ||
           lower.starts_with("x-oss-") || is_one_of(lower, signing) || names_a_secret(name);
}

void list_as_secrets(const std::vector<std::string>& names) {
    const std::scoped_lock lock{listed().mutex};
    listed().names.insert(names.begin(), names.end());
}

bool is_secret_variable(std::string_view name) {
    if (names_a_secret(name)) return true;
    const std::scoped_lock lock{listed().mutex};
    return listed().names.contains(name);
}

bool is_worth_hiding(std::string_view value) {
    constexpr std::size_t shortest = 6;
    return value.size() >= shortest && !is_ordinary_word(value) && !is_small_number(value) &&
           !is_existing_path(value);
}

std::map<std::string, std::string> secret_environment() {
    std::map<std::string, std::string> found;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view variable{*entry};
        const auto equals = variable.find('=');
        if (equals == std::string_view::npos) continue;
        const auto name = variable.substr(0, equals);
        if (is_secret_variable(name)) found.emplace(name, variable.substr(equals + 1));
    }
    return found;
}

std::vector<Secret> secrets_of_environment() {
    std::vector<Secret> secrets;
    for (const auto& [name, value] : secret_environment())
        if (is_worth_hiding(trim(value))) secrets.emplace_back(std::string{trim(value)});
    return secrets;
}

}  // namespace podctl
