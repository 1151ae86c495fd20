#include "rows.hpp"

#include "podctl/base/error.hpp"

#include <gtest/gtest.h>

namespace podctl::tmpl::test {
namespace {

enum class Pace { unset, slow, quick };

struct Walk {
    Pace pace = Pace::quick;
    Pace return_pace = Pace::unset;
    std::chrono::milliseconds rest{1500};
    std::optional<int> steps;
};

Typed<Pace> pace() {
    return choice<Pace>({{"slow", Pace::slow}, {"quick", Pace::quick}});
}

Value scalar(const char* text) {
    return {Value::Type::scalar, {}, text};
}

std::string default_of(const Row<Walk>& row) {
    return row.field.fallback;
}

TEST(Rows, TakeTheDefaultOfTheirMember) {
    EXPECT_EQ(default_of(field("pace", &Walk::pace, pace(), "")), "\"quick\"");
    EXPECT_EQ(default_of(field("rest", &Walk::rest, duration(), "")), "\"1500ms\"");
}

TEST(Rows, HaveNoDefaultWhereTheMemberIsAbsentOrHasNoWord) {
    EXPECT_EQ(default_of(field("return_pace", &Walk::return_pace, pace(), "")), "");
    EXPECT_EQ(default_of(field("steps", &Walk::steps, integer(1, 9), "")), "");
}

TEST(Rows, FillTheirMember) {
    const Table<Walk> table{
        "a walk",
        {field("pace", &Walk::pace, pace(), ""), field("steps", &Walk::steps, integer(1, 9), "")}};
    Value value{Value::Type::mapping, {}};
    value.entries.push_back({"pace", {}, scalar("slow")});
    value.entries.push_back({"steps", {}, scalar("7")});
    Walk walk;
    table.bind(value, walk);
    EXPECT_EQ(walk.pace, Pace::slow);
    EXPECT_EQ(walk.steps, 7);
}

template <typename T, typename Member>
concept Compiles = requires(Typed<T> type, Member member) {
    field("key", member, type, "");
};

TEST(Rows, DoNotCompileWithATypeThatIsNotTheirMembers) {
    static_assert(Compiles<Pace, decltype(&Walk::pace)>);
    static_assert(Compiles<int, decltype(&Walk::steps)>);
    static_assert(!Compiles<std::string, decltype(&Walk::pace)>);
    static_assert(!Compiles<std::vector<int>, decltype(&Walk::steps)>);
}

// Nothing but a check that does not know the row's words lets one through.
TEST(Rows, NeverTakeTheDefaultForAWordThatHasNoMeaning) {
    Pace to = Pace::unset;
    try {
        read(scalar("hasty"), pace().type, to);
        FAIL() << "taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::internal);
        EXPECT_EQ(error.message(), "a value other than slow or quick");
    }
}

}  // namespace
}  // namespace podctl::tmpl::test
