# SPDX-License-Identifier: Apache-2.0
"""C source as text for tools/tidy: without comments and literals, and cut into functions.

This is no C parser. It relies on what clang-format enforces here: a function's braces stand alone in
column 0, four spaces a level, control words first on their line.
"""
import dataclasses
import re

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
TABLE = re.compile(r' +(static const .*|\} \w+\[\w*\]|.*\[\]) = \{$')
CONTROL = re.compile(r'^( +)(?:\} )?(?:if|else|for|while|do|switch)\b')


@dataclasses.dataclass
class Function:
    name: str
    line: int        # of the signature
    lines: int       # signature to closing brace, without tables of constants
    parameters: int
    nesting: int
    deepest: int     # the line where that is


def blank(match):
    """A comment or a literal as blanks: line numbers stay. Literals keep their quotes."""
    text = match.group(0)
    if text[0] in '"\'':
        return text[0] + ' ' * (len(text) - 2) + text[0]
    return re.sub(r'[^\n]', ' ', text)


def strip(text):
    """The code alone, line by line as it was."""
    return TOKEN.sub(blank, text)


def without_directives(code):
    """Preprocessor lines (with their continuations) as blank lines."""
    out, inside = [], False
    for line in code.split('\n'):
        directive = inside or line.lstrip().startswith('#')
        inside = directive and line.rstrip().endswith('\\')
        out.append('' if directive else line)
    return out


def count_parameters(signature):
    """Top-level commas of the last parenthesised list. `(void)` and `()` have none. A buffer and its
    `size_t cap`, and a callback and its `void *context`, count as one parameter."""
    start, depth = None, 0
    for i, c in enumerate(signature):
        if c == '(':
            if depth == 0:
                start = i + 1
            depth += 1
        elif c == ')':
            depth -= 1
            end = i
    if start is None:
        return 0
    inner, depth, commas = signature[start:end], 0, 0
    for c in inner:
        depth += c in '([{'
        depth -= c in ')]}'
        commas += c == ',' and depth == 0
    if inner.strip() in ('', 'void'):
        return 0
    pairs = len(re.findall(r'\bsize_t cap\b|\bvoid \*\w*context\b', inner))
    return commas + 1 - pairs


def table_lines(lines):
    """Lines of constants inside a function: a table of cases is data."""
    count, inside = 0, False
    for line in lines:
        if TABLE.match(line):
            inside = True
        count += inside
        if re.match(r' +\};$', line):
            inside = False
    return count


def function_name(signature):
    match = re.search(r'(\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$', signature)
    return match.group(1) if match else '?'


def functions(code):
    """Every function definition of stripped code."""
    lines = without_directives(code)
    found = []
    for at, line in enumerate(lines):
        if line.rstrip() != '{':
            continue
        first = at
        while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in '}#' \
                and not lines[first - 1].rstrip().endswith(';'):
            first -= 1
        last = next((i for i in range(at, len(lines)) if lines[i].startswith('}')), len(lines) - 1)
        signature = ' '.join(lines[first:at])
        if '(' not in signature:
            continue
        deepest, nesting = at, 0
        for i in range(at, last):
            control = CONTROL.match(lines[i])
            if control and len(control.group(1)) // 4 > nesting:
                deepest, nesting = i, len(control.group(1)) // 4
        length = last - first + 1 - table_lines(lines[at:last])
        found.append(Function(function_name(signature), first + 1, length,
                              count_parameters(signature), nesting, deepest + 1))
    return found
