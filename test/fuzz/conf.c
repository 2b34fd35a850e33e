// SPDX-License-Identifier: Apache-2.0
// parent/conf.h: the settings of cloisterd. What is taken is whole: addresses, token file, URLs.
#include "fuzz.h"

#include "parent/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct conf conf;
    struct conf_problem problem = { 0 };

    if (conf_parse(&conf, bytes_of(data, n), &problem).code) {
        must(memchr(problem.key, 0, sizeof(problem.key)) != NULL);
        return 0;
    }
    must(conf.relays <= CONFIG_HOSTS && conf.token_file[0] != 0);
    must(memchr(conf.node, 0, sizeof(conf.node)) && memchr(conf.imds, 0, sizeof(conf.imds)));
    for (size_t i = 0; i < conf.relays; i++)
        must(memchr(conf.relay[i].host, 0, sizeof(conf.relay[i].host)) && conf.relay[i].host[0]);
    return 0;
}
