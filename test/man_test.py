#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""The man pages of doc/man3 and doc/man7 say all that include/mtls/ offers, and
no more.

Each function, function-like macro and type is in the NAME of exactly one page
of doc/man3, and in its SYNOPSIS; each reason is in MTLS_err_library.pod, or with
the provider's, each parameter under its own name in doc/man7, each other
constant somewhere; each page has the headings that OpenSSL's have, in their
order, and pleases podchecker; links to pages of ours lead somewhere.
MTLS_SOURCE_DIR is the source tree.
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
HEADINGS_7 = ["NAME", "SYNOPSIS", "DESCRIPTION", "CONFIGURATION",
              "OPERATIONS AND ALGORITHMS", "PARAMETERS", "CAPABILITIES",
              "SELF-TEST", "ERRORS", "NOTES", "EXAMPLES", "CONFORMING TO",
              "SEE ALSO", "HISTORY", "COPYRIGHT"]
NEEDED_7 = {"NAME", "DESCRIPTION", "SEE ALSO", "HISTORY", "COPYRIGHT"}
# The controls' numbers are behind the macros, guards mean nothing.
NOT_FOR_USE = re.compile(r"BIO_CTRL_MTLS_|MTLS_\w+_H$")

failures = []


def fail(text):
    failures.append(text)
    print("NOT OK -", text)


def read_headers(folder):
    """What the headers offer: (callables and types, constants: values)."""
    text = "".join(p.read_text() for p in sorted(folder.glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", " ")
    defined = re.findall(r"^#define (\w+)(\(?)[ \t]*(.*)", text, flags=re.M)
    code = re.sub(r"^#.*$", "", text, flags=re.M)
    calls = {name for name, opening, _ in defined if opening}
    calls |= set(re.findall(r"\b((?:BIO|MTLS)_\w+)\(", code))
    calls |= set(re.findall(r"^typedef [^;{]*\(\*(\w+)\)\(", code, flags=re.M))
    calls |= set(re.findall(r"^} (\w+);", code, flags=re.M))
    calls |= set(re.findall(r"^typedef struct \w+ (\w+);", code, flags=re.M))
    return calls, {name: value.strip() for name, opening, value in defined
                   if not opening and not NOT_FOR_USE.match(name)}


def sections(text):
    parts = re.split(r"^=head1 (.*)$", text, flags=re.M)
    return parts[1::2], dict(zip(parts[1::2], parts[2::2]))


def check_headings(page, text, headings, needed):
    """The page's sections, or None when its headings are wrong."""
    order, section = sections(text)
    wanted = [h for h in headings if h in section or h in needed]
    if order != wanted:
        fail(f"{page.name}: headings are {order}, not {wanted}")
        return None
    return section


def check_page(page, text, names_of):
    section = check_headings(page, text, HEADINGS, set(HEADINGS) - OPTIONAL)
    if section is None:
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


def check_page_7(page, text):
    section = check_headings(page, text, HEADINGS_7, NEEDED_7)
    if section is not None and not section["NAME"].strip().startswith(
            f"{page.stem} - "):
        fail(f"{page.name}: NAME is not the name of the file")


def check_constant(name, value, everything, reasons, pages_7):
    if not re.search(rf"\b{name}\b", everything):
        fail(f"{name} is described nowhere")
    elif name.startswith("MTLS_R_") and f"\n=item B<{name}>\n" not in reasons:
        fail(f"{name} is not in MTLS_err_library.pod")
    elif "_PROV_R_" in name and not re.search(
            rf"\n=item (B<\w+>,\s)*B<{name}>", pages_7):
        fail(f"{name} is no item of a page of doc/man7")
    elif "_PARAM_" in name and not re.search(
            rf"\n=item B<{value.split()[0][1:-1]}> \(B<{name}>\)", pages_7):
        fail(f"{name} is not described as {value}")


def check_links(page, text):
    for name, section in re.findall(
            r"L<([\w-]*(?:mtls|MTLS)[\w-]*)\((\d)\)[>/]", text):
        if not (page.parents[1] / f"man{section}" / f"{name}.pod").exists():
            fail(f"{page.name}: there is no {name}({section})")


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
    pages_7 = {p: p.read_text()
               for p in sorted((source / "doc" / "man7").glob("*.pod"))}
    text_7 = "".join(pages_7.values())
    everything = "".join(pages.values()) + text_7
    reasons = "".join(t for p, t in pages.items()
                      if p.stem == "MTLS_err_library")
    names_of = {}
    if not pages or not calls:
        fail("there are no pages, or no functions")
    for page, text in pages.items():
        check_page(page, text, names_of)
    for page, text in pages_7.items():
        check_page_7(page, text)
    for page, text in {**pages, **pages_7}.items():
        check_links(page, text)
        if shutil.which("podchecker"):
            check_pod(page)
    for name in sorted(calls):
        if len(names_of.get(name, [])) != 1:
            fail(f"{name} is in the NAME of {names_of.get(name, 'no page')}")
    for name in sorted(set(names_of) - calls):
        fail(f"{names_of[name]}: {name} is not in a header")
    for name, value in sorted(constants.items()):
        check_constant(name, value, everything, reasons, text_7)
    for name in sorted(set(re.findall(r"\bMTLS_[A-Z][A-Z_0-9]*\b",
                                      everything)) - set(constants) - calls):
        fail(f"{name} is described, and in no header")
    print(f"{len(pages) + len(pages_7)} pages, {len(calls)} functions, macros and types, "
          f"{len(constants)} constants")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
