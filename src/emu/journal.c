// SPDX-License-Identifier: Apache-2.0
// Log lines are built whole and written with one call, so that threads cannot mix them. What comes
// from outside is made printable first: a log is read in terminals.
#include "emu/journal.h"

#include "base/fd.h"
#include "base/must.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static int journal_fd = -1;

struct err journal_open(const char *path)
{
    fd_close(&journal_fd);
    journal_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    ENSURE(journal_fd >= 0, ERR_IO, "log file cannot be opened");
    return OK;
}

void journal_close(void)
{
    fd_close(&journal_fd);
}

static size_t journal_time(char *out, size_t cap)
{
    struct timespec now = { 0 };
    struct tm tm = { 0 };
    size_t n;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, cap - n, ".%03ldZ ", now.tv_nsec / 1000000);
}

void journal(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    size_t start = journal_time(line, sizeof(line));
    size_t room = sizeof(line) - start - 1;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line + start, room, format, args);
    va_end(args);
    must(n >= 0);
    room = (size_t)n < room ? start + (size_t)n : start + room - 1;
    for (size_t i = start; i < room; i++)
        line[i] = line[i] >= ' ' && line[i] < 0x7f ? line[i] : '?';
    line[room] = '\n';
    if (journal_fd >= 0 && write(journal_fd, line, room + 1) < 0)
        (void)fprintf(stderr, "cloister-emu: the log file cannot be written\n");
    (void)fwrite(line, 1, room + 1, stderr);
}
