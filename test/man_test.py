#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""The man pages of doc/man3 say all that include/mtls/ offers, and no more.

Each function, function-like macro and type is in the NAME of exactly one page,
and in its SYNOPSIS; each reason is in MTLS_err_library.pod, each other constant
somewhere; each page has the
headings that OpenSSL's have, in their order, and pleases podchecker; links to
pages of ours lead somewhere. MTLS_SOURCE_DIR is the source tree.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HEADINGS = ["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "ERRORS",
            "NOTES", "EXAMPLES", "SEE ALSO", "HISTORY", "COPYRIGHT"]
OPTIONAL = {"ERRORS", "NOTES", "EXAMPLES"}
# The controls' numbers are behind the macros, guards mean nothing.
NOT_FOR_USE = re.compile(r"BIO_CTRL_MTLS_|MTLS_BIO_MTLS_H$|MTLS_MTLS_ERR_H$")

failures = []


def fail(text):
    failures.append(text)
    print("NOT OK -", text)


def read_headers(folder):
    """The names that the headers offer: (callables and types, constants)."""
    text = "".join(p.read_text() for p in sorted(folder.glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", " ")
    defined = re.findall(r"^#define (\w+)(\(?)", text, flags=re.M)
    code = re.sub(r"^#.*$", "", text, flags=re.M)
    calls = {name for name, opening in defined if opening}
    calls |= set(re.findall(r"\b((?:BIO|MTLS)_\w+)\(", code))
    calls |= set(re.findall(r"^typedef [^;{]*\(\*(\w+)\)\(", code, flags=re.M))
    calls |= set(re.findall(r"^} (\w+);", code, flags=re.M))
    constants = {name for name, opening in defined if not opening}
    return calls, {c for c in constants if not NOT_FOR_USE.match(c)}


def sections(text):
    parts = re.split(r"^=head1 (.*)$", text, flags=re.M)
    return parts[1::2], dict(zip(parts[1::2], parts[2::2]))


def check_page(page, text, names_of):
    order, section = sections(text)
    wanted = [h for h in HEADINGS if h in section or h not in OPTIONAL]
    if order != wanted:
        fail(f"{page.name}: headings are {order}, not {wanted}")
        return
    names, dash, what = section["NAME"].partition(" - ")
    names = [n.strip() for n in names.split(",")]
    if not dash or not what.strip():
        fail(f"{page.name}: NAME does not say what it is")
    if page.stem not in names:
        fail(f"{page.name}: is not named after one of its functions")
    for name in names:
        names_of.setdefault(name, []).append(page.name)
        if not re.search(rf"\b{name}\b", section["SYNOPSIS"]):
            fail(f"{page.name}: {name} is not in SYNOPSIS")


def check_pod(page):
    run = subprocess.run(["podchecker", "-warnings", "-warnings", str(page)],
                         capture_output=True, text=True, check=False)
    said = (run.stdout + run.stderr).strip()
    if run.returncode != 0 or said != f"{page} pod syntax OK.":
        fail(f"{page.name}: podchecker: {said}")


def main():
    source = pathlib.Path(os.environ["MTLS_SOURCE_DIR"])
    calls, constants = read_headers(source / "include" / "mtls")
    pages = {p: p.read_text()
             for p in sorted((source / "doc" / "man3").glob("*.pod"))}
    everything = "".join(pages.values())
    reasons = "".join(t for p, t in pages.items()
                      if p.stem == "MTLS_err_library")
    names_of = {}
    if not pages or not calls:
        fail("there are no pages, or no functions")
    for page, text in pages.items():
        check_page(page, text, names_of)
        if shutil.which("podchecker"):
            check_pod(page)
        for link in re.findall(r"L<(\w*(?:mtls|MTLS)\w*)\(3\)>", text):
            if not (page.parent / f"{link}.pod").exists():
                fail(f"{page.name}: there is no {link}(3)")
    for name in sorted(calls):
        if len(names_of.get(name, [])) != 1:
            fail(f"{name} is in the NAME of {names_of.get(name, 'no page')}")
    for name in sorted(set(names_of) - calls):
        fail(f"{names_of[name]}: {name} is not in a header")
    for name in sorted(constants):
        if not re.search(rf"\b{name}\b", everything):
            fail(f"{name} is described nowhere")
        if "_R_" in name and f"\n=item B<{name}>\n" not in reasons:
            fail(f"{name} is not in MTLS_err_library.pod")
    for name in sorted(set(re.findall(r"\bMTLS_[A-Z][A-Z_0-9]*\b",
                                      everything)) - constants - calls):
        fail(f"{name} is described, and in no header")
    print(f"{len(pages)} pages, {len(calls)} functions, macros and types, "
          f"{len(constants)} constants")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
