// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pages as a browser shows them.
#ifndef CHIMERA_TEST_SUPPORT_BROWSER_H
#define CHIMERA_TEST_SUPPORT_BROWSER_H

#include <string>
#include <vector>

namespace chimera::test {

/// Whether there is a browser (Debian's chromium).
bool hasBrowser();

/// The document of the page in the file `path`, or at an address (http://...), after its scripts have run. The test
/// fails if the browser does not end well, or, if the page is to be `quiet`, something is said on the console, by a
/// script or of a request that was refused. `profile`: a folder of the browser's own. `options`: more of its options.
std::string documentInBrowser(const std::string &path, const std::string &profile,
                              const std::vector<std::string> &options = {}, bool quiet = true);

} // namespace chimera::test

#endif // CHIMERA_TEST_SUPPORT_BROWSER_H
