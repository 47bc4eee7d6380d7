#!/usr/bin/env python3
"""The rules of the house that a script can check: tidy.py [TOP]. Each finding is a line; exit 1 when there are any."""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
FUNCTION_LINES, FILE_LINES, COLUMNS = 70, 700, 100
DOORS = {                                   # foreign header -> files that may include it
    r"sqlite3\.h": r"syncd/store/db_\w+\.[ch]",
    r"zlib\.h": r"protocol/wire/deflate\.c",
    r"sodium\.h": r"protocol/base/crypto\.c",
    r"utf8proc\.h": r"protocol/base/text\.c",
    r"jansson\.h": r"protocol/base/json\.c",
    r"openssl/sha\.h": r"(protocol/base/crypto\.c|syncd/http/\w+\.[ch])",
    r"(event2|openssl)/(?!sha\.h$).*": r"syncd/http/\w+\.[ch]",
    r"qrencode\.h": r"syncd/server/\w+\.c",
    r"curl/curl\.h": r"(syncd/agent/transport|tools/inspect)\.c",
    r"(unistd|pthread|fcntl|poll|signal|dirent|sys/\w+|netinet/.*|arpa/.*|netdb)\.h": r"syncd/(platform|http|server)/\w+\.[ch]",
}
ABOVE = [                                   # folder -> folders of this project that it may include
    ("protocol/base/", ["protocol/base"]),
    ("protocol/model/", ["protocol/base", "protocol/model"]),
    ("protocol/wire/", ["protocol/base", "protocol/model", "protocol/wire"]),
    ("protocol/session/", ["protocol"]),
    ("syncd/platform/", ["protocol/base", "syncd/platform"]),
    ("syncd/http/", ["protocol/base", "syncd/platform", "syncd/http"]),
    ("syncd/store/", ["protocol", "syncd/platform", "syncd/store"]),
    ("syncd/agent/", ["protocol", "syncd/store", "syncd/platform", "syncd/agent"]),
    ("syncd/server/", ["protocol", "syncd/store", "syncd/platform", "syncd/http", "syncd/api", "syncd/server"]),
    ("syncd/api/", ["protocol", "syncd/store", "syncd/platform", "syncd/api"]),
    ("client/", ["protocol", "syncd/store", "syncd/agent", "syncd/api", "syncd/platform", "client"]),
]
FORBIDDEN = re.compile(r"(?<![\w.>])(time|sleep|usleep|nanosleep|random|rand|clock_gettime|gettimeofday|getrandom|localtime_r|gmtime_r)\s*\(")
TABLES = {"protocol/model/entities.c"}       # declarations that read best one a line
LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def sources():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], cwd=TOP, text=True, capture_output=True).stdout.split()
    return [n for n in names if n.startswith(("protocol/", "syncd/", "client/", "tests/", "tools/"))]


def functions(lines):
    """(name, first line, length) of the functions of a file in our layout: the body opens and closes at column 0."""
    start, name = None, ""
    for i, line in enumerate(lines):
        if start is None and line.rstrip().endswith("{") and not line.startswith((" ", "\t", "#", "}", "/", "*", "struct ", "enum ", "static const", "union ")) and "=" not in line:
            start = i
            head = " ".join(lines[max(0, i - 4):i + 1])
            found = re.findall(r"(\w+)\s*\(", head)
            name = found[-1] if found else "?"
        elif start is not None and line.startswith("}"):
            yield name, start + 1, i - start + 1
            start = None


def check(name, text):
    lines = text.splitlines()
    product = not name.startswith("tests/")
    in_rows = False                         # between "#define X_ROWS" and the last line that goes on
    if len(lines) > FILE_LINES:
        yield f"{name}: {len(lines)} lines: would a reader find a room in there?"
    for i, line in enumerate(lines, 1):
        include = re.match(r'\s*#\s*include\s+[<"]([^">]+)[">]', line)
        if include and product:
            yield from check_include(name, i, include.group(1))
        in_rows = in_rows or re.match(r"#define \w+_ROWS\b", line) is not None
        if product and name not in TABLES and not in_rows and len(line.rstrip(" \\")) > COLUMNS:
            yield f"{name}:{i}: {len(line)} columns"
        in_rows = in_rows and line.endswith("\\")
        if LEFT_OVER.search(line):
            yield f"{name}:{i}: a left-over word"
        if product and name.endswith(".c") and not name.startswith(("syncd/platform/", "syncd/http/")) and FORBIDDEN.search(line.split("/*")[0].split('"')[0]):
            yield f"{name}:{i}: only syncd/platform may ask the system for that"
    if product and name.endswith(".c"):
        for function, line, length in functions(lines):
            if length > FUNCTION_LINES:
                yield f"{name}:{line}: {function} has {length} lines"


def check_include(name, line, header):
    for pattern, door in DOORS.items():
        if re.fullmatch(pattern, header) and not re.fullmatch(door, name):
            yield f"{name}:{line}: {header} has another door"
    if "/" not in header or not header.startswith(("protocol/", "syncd/", "client/", "tests/")):
        return
    for folder, allowed in ABOVE:
        if name.startswith(folder) and not any(header.startswith(a + "/") for a in allowed):
            yield f"{name}:{line}: must not include {header}"


def main():
    findings = [f for name in sources() for f in check(name, (TOP / name).read_text())]
    print("\n".join(findings) or "tidy")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
