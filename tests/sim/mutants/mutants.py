#!/usr/bin/env python3
"""Planted faults: the measure of the simulator. Each is put into a copy of the tree, one at a time,
and seeds are run until a check sees it.

    mutants.py --build FOLDER [--only NAME...] [--runs N] [--seconds S] [--jobs N] [--check] [--json FILE]

list.txt beside this file holds them: a name, the seeds to run (common, homes, rollback, loose, all), what
goes wrong in words, and one or more places: a file, the text that stands there, the text instead.
A fault whose old text is not there exactly once is an error: the code went on, the list did not.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
SOURCES = ("CMakeLists.txt", "protocol", "syncd", "client", "tests", "tools")


def read_list(path):
    """[(name, focus, words, [(file, old, new)])]"""
    faults = []
    for block in re.split(r"^== ", path.read_text(), flags=re.M)[1:]:
        head, *places = re.split(r"^@@ ", block, flags=re.M)
        name, focus = head.splitlines()[0].split()
        words = " ".join(line.strip() for line in head.splitlines()[1:] if line.strip())
        edits = []
        for place in places:
            file, rest = place.split("\n", 1)
            old, new = rest.split("----\n", 1)
            edits.append((file.strip(), old, re.sub(r"\n+\Z", "\n", new)))
        faults.append((name, focus, words, edits))
    return faults


def mutated(tree, edits):
    """{path: text} of the files with the fault in them."""
    texts = {}
    for file, old, new in edits:
        path = tree / file
        text = texts.get(path) or path.read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{file}: the old text is there {text.count(old)} times:\n{old}")
        texts[path] = text.replace(old, new.rstrip("\n") + "\n" if new.strip() else "")
    return texts


def copy_tree(to):
    """Only what changed, so that only that is built again."""
    kept = set()
    for name in SOURCES:
        source = TOP / name
        files = [source] if source.is_file() else [f for f in source.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
        for f in files:
            target = to / f.relative_to(TOP)
            kept.add(target)
            if target.exists() and target.read_bytes() == f.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(f, target)
    for name in SOURCES:
        for f in [f for f in (to / name).rglob("*") if f.is_file() and f not in kept]:
            f.unlink()


def build(folder):
    done = subprocess.run(["ninja", "-C", str(folder / "build"), "roadbook-sim"], text=True, capture_output=True)
    return done.returncode == 0, done.stdout


def run(folder, focus, a):
    command = [str(folder / "build/bin/roadbook-sim"), "--seeds", f"1..{10 ** 9}", "--minutes", str(a.seconds / 60), "--jobs", str(a.jobs),
               "--stop", "--json", "--most", str(a.runs)]
    if focus != "all":
        command += ["--focus", focus]
    done = subprocess.run(command, text=True, capture_output=True)
    try:
        runs = json.loads(done.stdout.splitlines()[-1])["runs"]
    except (IndexError, ValueError):
        return True, 0, "no run can begin"
    if not runs:
        return True, 0, "no run can begin"
    failed = re.search(r"^FAILED seed (\d+): (.*)", done.stderr, re.M)
    return bool(failed), runs, f"{failed.group(2)[:70]} (seed {failed.group(1)})" if failed else ""


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("--build", default=str(TOP / "build-mutants"))
    arg.add_argument("--only", nargs="*")
    arg.add_argument("--runs", type=int, default=20000)
    arg.add_argument("--seconds", type=float, default=600)
    arg.add_argument("--jobs", type=int, default=os.cpu_count())
    arg.add_argument("--check", action="store_true", help="only whether each old text is there once")
    arg.add_argument("--json")
    a = arg.parse_args()
    faults = [f for f in read_list(HERE / "list.txt") if not a.only or f[0] in a.only]
    if a.check:
        for f in faults:
            mutated(TOP, f[3])
        print(f"{len(faults)} faults, each in its place")
        return 0
    folder = Path(a.build)
    tree = folder / "tree"
    copy_tree(tree)
    subprocess.run(["cmake", "-G", "Ninja", "-S", str(tree), "-B", str(folder / "build"), "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O1 -w"],
                   check=True, stdout=subprocess.DEVNULL)
    good, said = build(folder)
    if not good:
        sys.exit(said)
    results = []
    for name, focus, words, edits in faults:
        began = time.time()
        sound = {path: path.read_text() for path, _ in [(tree / e[0], e) for e in edits]}
        try:
            for path, text in mutated(tree, edits).items():
                path.write_text(text)
            good, said = build(folder)
            caught, runs, check = run(folder, focus, a) if good else (False, 0, "does not compile: " + said[-300:])
        finally:
            for path, text in sound.items():
                path.write_text(text)
        results.append({"fault": name, "seeds": focus, "caught": caught, "runs": runs, "check": check, "words": words, "seconds": round(time.time() - began)})
        print(f"| {name} | {focus} | {runs if caught else f'not in {runs}'} | {check} | {words} |", flush=True)
        if a.json:
            Path(a.json).write_text(json.dumps(results, indent=1))
    early = sum(r["caught"] and r["runs"] <= 2000 for r in results)
    print(f"{len(results)} faults: {sum(r['caught'] for r in results)} caught, {early} of them within 2,000 runs")
    build(folder)
    return 0 if all(r["caught"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
