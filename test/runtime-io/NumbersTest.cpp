// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Numbers.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace chimera;
using io::NumberRange;

TEST(Numbers, AreReadWholeOrNotAtAll) {
  EXPECT_EQ(io::parseWhole("-12"), -12);
  EXPECT_EQ(io::parseWhole("9223372036854775807"), INT64_MAX);
  for (const char *text : {"", " 1", "1 ", "+1", "1.0", "1e3", "0x10", "1'000", "9223372036854775808", "nan", "one"})
    EXPECT_FALSE(io::parseWhole(text)) << text;
  EXPECT_EQ(io::parseReal("0.001"), 0.001);
  EXPECT_EQ(io::parseReal("1e-3"), 0.001);
  EXPECT_EQ(io::parseReal(".5"), 0.5);
  EXPECT_EQ(io::parseReal("-2"), -2.0);
  for (const char *text : {"", " 1", "1 ", "0,001", "nan", "NaN", "inf", "-inf", "infinity", "0x1p3", "1e999", "1.5x"})
    EXPECT_FALSE(io::parseReal(text)) << text;
}

TEST(Numbers, RangesAreShortAndHoldNoneThatIsNotFinite) {
  NumberRange share{0, 1, false, true};
  EXPECT_EQ(share.text(), ">= 0 and < 1");
  EXPECT_TRUE(share.has(0));
  EXPECT_FALSE(share.has(1));
  EXPECT_FALSE(share.has(std::nan("")));
  EXPECT_EQ(NumberRange::positive().text(), "> 0");
  EXPECT_FALSE(NumberRange::positive().has(0));
  EXPECT_FALSE(NumberRange::positive().has(INFINITY));
  EXPECT_EQ(NumberRange::atLeast(0.1).text(), ">= 0.1");
  EXPECT_EQ(NumberRange::any().text(), "");
  EXPECT_TRUE(NumberRange::any().has(-1e300));
  EXPECT_FALSE(NumberRange::any().has(-INFINITY));
}
