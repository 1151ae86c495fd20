#pragma once

#include "podctl/base/secret.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

// What counts as a secret by its name (spec §6). One rule and one list, for whatever asks: what a
// template may hold, what children are given, and what no output shows.
namespace podctl {

// True for a name that speaks of a secret as one of its words: TOKEN, KEY, SECRET, PASSWORD,
// CREDENTIAL and what else they are called: HF_TOKEN, db_password, apiKey, MYSQL_PWD. Not for what
// only says where or how large one is (HF_TOKEN_PATH, KEY_LENGTH), not for PUBLIC_KEY,
// TOKENIZERS_PARALLELISM, MAX_TOKENS or KEYBOARD.
bool names_a_secret(std::string_view name);

// True for a parameter of a URL that carries a secret, or a signature that stands for one: ?token=,
// and those by which S3, CloudFront, Google, Azure, OSS and the hubs sign.
bool is_secret_parameter(std::string_view name);

// Names that a template lists under `secrets:` count as secrets too, whatever they are called, in
// this process from now on. May be called by any thread.
void list_as_secrets(const std::vector<std::string>& names);

// names_a_secret(), or listed.
bool is_secret_variable(std::string_view name);

// What podctl's own environment holds under such names. Children inherit none of it; for one that
// is to have all of it, this is what Command::environment needs.
std::map<std::string, std::string> secret_environment();

// The values of secret_environment(), without those that are too short or too
// ordinary to be looked for in a text: 1, true, workspace.
std::vector<Secret> secrets_of_environment();
// The rule for those values, for a variable of another environment.
bool is_worth_hiding(std::string_view value);

}  // namespace podctl
