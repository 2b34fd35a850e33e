#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The test runner's own test: what it makes of the ways in which a test program can end. Prints TAP.
"""
import importlib.machinery
import importlib.util
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader('check', os.path.join(HERE, '../../tools/check'))
CHECK = importlib.util.module_from_spec(importlib.util.spec_from_loader('check', LOADER))
LOADER.exec_module(CHECK)

# name, exit status (negative: signal), output, passed, failed, skipped
CASES = (
    ('all cases pass', 0, '1..2\nok 1 - a\nok 2 - b\n', 2, 0, 0),
    ('a failing case', 1, '1..2\nok 1 - a\nnot ok 2 - b\n# why\n', 1, 1, 0),
    ('two groups of cmocka', 0, '1..1\nok 1 - a\n# ok - g\n1..2\nok 1 - b\nok 2 - c\n', 3, 0, 0),
    ('a skipped case of cmocka', 0, '1..2\nok 1 - a\nnot ok 2 # SKIP b\n', 1, 0, 1),
    ('a skipped case of TAP', 0, '1..1\nok 1 - a # SKIP no vectors\n', 0, 0, 1),
    ('a skipped program', 0, '1..0 # SKIP needs root\n', 0, 0, 1),
    ('exit status 77', 77, 'needs root\n', 0, 0, 1),
    ('no TAP, success', 0, 'fine\n', 1, 0, 0),
    ('no TAP, failure', 1, 'bad\n', 0, 1, 0),
    ('a crash before the first case', -11, '', 0, 1, 0),
    ('a crash after all cases', -6, '1..1\nok 1 - a\n', 1, 1, 0),
    ('a crash between cases', -11, '1..3\nok 1 - a\n', 1, 1, 0),
    ('a clean end before the last case', 0, '1..3\nok 1 - a\nok 2 - b\n', 2, 1, 0),
    ('more cases than announced', 0, '1..1\nok 1 - a\nok 2 - b\n', 2, 1, 0),
    ('all cases pass, other exit status', 3, '1..1\nok 1 - a\n', 1, 1, 0),
    ('a timeout', 1000, '1..2\nok 1 - a\n', 1, 1, 0),
)
# name, argv, timeout, expected exit status
RUNS = (
    ('exit status', ['sh', '-c', 'exit 3'], 10, 3),
    ('signal', ['sh', '-c', 'kill -SEGV $$'], 10, -11),
    ('timeout of a child that waits for its own child', ['sh', '-c', 'sleep 60; true'], 0.3, 1000),
)
# name, first line, mode
SCRIPTS = (
    ('a.py', '#!/usr/bin/env python3', 0o755),
    ('forgotten.sh', '#!/bin/sh', 0o644),
    ('module.py', '# SPDX-License-Identifier: Apache-2.0', 0o755),
    ('notes.txt', '#!/bin/sh', 0o755),
)


def scripts():
    with tempfile.TemporaryDirectory() as folder:
        for name, line, mode in SCRIPTS:
            path = os.path.join(folder, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(line + '\n')
            os.chmod(path, mode)
        return CHECK.scripts_in(folder)


def main():
    wrong = 0
    print(f'1..{len(CASES) + len(RUNS) + 2}')
    for number, (name, status, output, passed, failed, skipped) in enumerate(CASES, 1):
        got = CHECK.judge(status, output)
        found = (got.passed, len(got.failed), len(got.skipped))
        right = found == (passed, failed, skipped)
        wrong += not right
        print(f'{"" if right else "not "}ok {number} - {name}' + ('' if right else f' {found}'))
    for number, (name, argv, timeout, status) in enumerate(RUNS, len(CASES) + 1):
        found, _ = CHECK.run(argv, timeout=timeout)
        wrong += found != status
        print(f'{"" if found == status else "not "}ok {number} - {name}')
    number = len(CASES) + len(RUNS)
    for name, right in (
            ('a script counts, executable or not', scripts() == ['a.py', 'forgotten.sh']),
            ('one that is not executable fails',
             len(CHECK.judge(*CHECK.run(CHECK.NOT_EXECUTABLE, timeout=10)).failed) == 1)):
        number += 1
        wrong += not right
        print(f'{"" if right else "not "}ok {number} - {name}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
