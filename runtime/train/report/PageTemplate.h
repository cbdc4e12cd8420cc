// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_REPORT_PAGETEMPLATE_H
#define CHIMERA_RUNTIME_TRAIN_REPORT_PAGETEMPLATE_H

namespace chimera::train {

/// The page with the words {{STYLE}}, {{SCRIPT}} and {{DATA}} in the places of the other two and of the data.
extern const char *const pageHtml;
extern const char *const pageStyle;
extern const char *const pageScript;

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_REPORT_PAGETEMPLATE_H
