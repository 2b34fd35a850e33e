// SPDX-License-Identifier: Apache-2.0
// cloisterd: the daemon on the parent instance. Untrusted by design: it holds no key, only records
// that the enclave sealed, and credentials on their way to the enclave. Arguments, signals, exit
// status; everything else is parent/daemon.c.
#include "parent/conf.h"
#include "parent/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static const char main_usage[] =
    "usage: cloisterd --config FILE [--check]\n"
    "\n"
    "  --config FILE   settings; cloisterd --help-config explains the keys\n"
    "  --check         reads the settings and the measured configuration, and ends\n"
    "  --help-config   prints the keys of the settings\n"
    "  --help          prints this\n"
    "  --version       prints the version\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong arguments or settings.\n";

static int main_fail(const char *path, const struct conf_problem *problem, struct err err)
{
    if (problem->line)
        (void)fprintf(stderr, "%s:%u: ", path, problem->line);
    else
        (void)fprintf(stderr, "%s: ", path);
    if (problem->key[0])
        (void)fprintf(stderr, "%s: ", problem->key);
    (void)fprintf(stderr, "%s\n", err_text(err));
    return 2;
}

static struct err main_check(const struct conf *conf)
{
    uint8_t buf[CONFIG_BYTES_MAX];
    struct bytes canonical;
    struct config config;

    return conf_load_configuration(conf, buf, &canonical, &config);
}

static int main_run(const struct conf *conf)
{
    struct daemon *daemon;
    sigset_t set;
    struct err err;
    int number = 0;

    // Every thread inherits the mask; this one waits for the signals.
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(077);
    (void)prctl(PR_SET_DUMPABLE, 0); // credentials pass through this memory
    log_set_level(conf->log_level);
    err = daemon_start(&daemon, conf, CLOISTER_VERSION);
    if (err.code) {
        log_error(LOG_ERROR, "main", "not_started", err);
        return 1;
    }
    log_event(LOG_INFO, "main", "started", "version", CLOISTER_VERSION);
    (void)sigwait(&set, &number);
    log_event(LOG_INFO, "main", "stopping", "signal", number == SIGINT ? "INT" : "TERM");
    daemon_stop(&daemon);
    return 0;
}

static int main_with(const char *path, bool check)
{
    struct conf conf;
    struct conf_problem problem;
    struct err err = conf_read(&conf, path, &problem);

    if (err.code)
        return main_fail(path, &problem, err);
    problem = (struct conf_problem) { 0 };
    err = main_check(&conf);
    if (err.code)
        return main_fail(conf.configuration, &problem, err);
    if (check)
        return 0;
    return main_run(&conf);
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    bool check = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc && !path) {
            path = argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            check = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            return fputs(main_usage, stdout) < 0;
        } else if (strcmp(argv[i], "--help-config") == 0) {
            conf_print_keys(stdout);
            return 0;
        } else if (strcmp(argv[i], "--version") == 0) {
            return puts("cloisterd " CLOISTER_VERSION) < 0;
        } else {
            (void)fprintf(stderr, "cloisterd: argument not understood: %s\n%s", argv[i],
                          main_usage);
            return 2;
        }
    }
    if (!path) {
        (void)fputs(main_usage, stderr);
        return 2;
    }
    return main_with(path, check);
}
