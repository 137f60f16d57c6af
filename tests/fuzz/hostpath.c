/* Words of `foray copy`: the parts are the word, and hosts hold no slash outside brackets. */
#include "base/hostpath.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str word = {(const char *)data, size}, hosts, path;
    if (!hostpath_split(word, &hosts, &path))
        return 0;
    if (hosts.s != word.s || path.s != word.s + hosts.n + 1 || hosts.n + 1 + path.n != word.n ||
        word.s[hosts.n] != ':')
        abort();
    bool bracket = false;
    for (size_t i = 0; i < hosts.n; i++) {
        if (hosts.s[i] == '/' && !bracket)
            abort();
        if (hosts.s[i] == '[' || hosts.s[i] == ']')
            bracket = hosts.s[i] == '[';
    }
    return 0;
}
