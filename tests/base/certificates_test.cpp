#include "podctl/base/certificates.hpp"

#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace podctl {
namespace {

using test::SetEnv;

struct CertificateBundle : testing::Test {
    SetEnv openssl{"SSL_CERT_FILE", nullptr};
    SetEnv curl{"CURL_CA_BUNDLE", nullptr};
    test::TempDir dir;
    std::string there = (dir.path() / "there.crt").string();
    std::string later = (dir.path() / "later.crt").string();
    std::string missing = (dir.path() / "missing.crt").string();

    void SetUp() override {
        std::ofstream{there} << "certificates";
        std::ofstream{later} << "certificates";
    }
};

TEST_F(CertificateBundle, IsTheFirstThatIsThere) {
    const char* places[] = {missing.c_str(), there.c_str(), later.c_str()};
    EXPECT_EQ(certificate_bundle(places), there);
}

TEST_F(CertificateBundle, IsNoneWhereNoneIsThere) {
    const char* places[] = {missing.c_str()};
    EXPECT_EQ(certificate_bundle(places), "");
}

TEST_F(CertificateBundle, IsTheChosenOneEvenWhereThatIsMissing) {
    const char* places[] = {there.c_str()};
    const SetEnv second{"CURL_CA_BUNDLE", later.c_str()};
    EXPECT_EQ(certificate_bundle(places), later);
    const SetEnv first{"SSL_CERT_FILE", missing.c_str()};
    EXPECT_EQ(certificate_bundle(places), missing);
}

TEST_F(CertificateBundle, AnEmptyVariableChoosesNothing) {
    const char* places[] = {there.c_str()};
    const SetEnv empty{"SSL_CERT_FILE", ""};
    EXPECT_EQ(certificate_bundle(places), there);
}

}  // namespace
}  // namespace podctl
