"""The real programs for the end-to-end tests: a folder with a server and laptops in it, started, stopped, killed.

Nothing but Python's standard library. Every process is started by its own handle and ended by its own handle.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failed(Exception):
    """A check did not hold."""


def check(condition, text):
    if not condition:
        raise Failed(text)


class Result:
    """What one command line did."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failed(f"{' '.join(self.argv)}: not JSON: {self.out[:400]!r} {self.err[:400]!r}")

    def __str__(self):
        return f"{' '.join(self.argv)}: exit {self.code}\n{self.out}{self.err}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class World:
    """One server and its laptops, below one temporary folder."""

    def __init__(self, bin_dir, org="acme", label="Acme", scope="open", port=None, public=None):
        self.bin = os.path.abspath(bin_dir)
        self.dir = tempfile.mkdtemp(prefix="roadbook-e2e.")
        self.home = os.path.join(self.dir, "server")
        self.org, self.port = org, port or free_port()
        self.url = f"https://127.0.0.1:{public or self.port}"
        self.server = None
        self.log = open(os.path.join(self.dir, "server.log"), "ab")
        self.env = {**os.environ, "LC_ALL": "C.UTF-8", "ROADBOOK_SERVER_HOME": self.home, "HOME": self.dir}
        self.office("init", "--public-url", self.url, "--listen", f"127.0.0.1:{self.port}")
        self.office("org", "add", org, "--label", label, "--scope", scope)

    # ---------------------------------------------------------------- commands

    def run(self, program, *words, fails=False, env=None, timeout=60):
        argv = [os.path.join(self.bin, program), *map(str, words)]
        done = subprocess.run(argv, env={**self.env, **(env or {})}, capture_output=True, timeout=timeout)
        result = Result([program, *map(str, words)], done.returncode, done.stdout.decode("utf-8", "replace"),
                        done.stderr.decode("utf-8", "replace"))
        if not fails:
            check(result.code == 0, f"this should have worked: {result}")
        return result

    def office(self, *words, **options):
        return self.run("roadbook-server", *words, **options)

    def laptop(self, name, *words, env=None, **options):
        return self.run("roadbook", *words, env={"ROADBOOK_HOME": self.laptop_home(name), **(env or {})}, **options)

    def laptop_home(self, name):
        return os.path.join(self.dir, "laptop-" + name)

    def user(self, login, role="rep"):
        self.office("user", "add", login, "--name", login.title(), "--role", role)

    def link(self, login, *options):
        return self.office("link", login, "--json", *options).json()["link"]

    def import_rows(self, entity, text):
        path = os.path.join(self.dir, f"import-{entity}.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return self.office("import", entity, path)

    # ---------------------------------------------------------------- the server

    def start_server(self, *options):
        check(self.server is None, "the server runs already")
        argv = [os.path.join(self.bin, "roadbook-server"), "serve", "--listen", f"127.0.0.1:{self.port}", *options]
        self.server = subprocess.Popen(argv, env=self.env, stdout=self.log, stderr=self.log)
        self.await_server()

    def await_server(self):
        until = time.monotonic() + 30
        while not is_listening(self.port):
            check(self.server.poll() is None, f"the server ended with {self.server.poll()}: {self.server_log()}")
            check(time.monotonic() < until, "the server does not listen")
            time.sleep(0.01)

    def stop_server(self, how=signal.SIGTERM):
        if self.server is None:
            return None
        self.server.send_signal(how)
        code = self.server.wait(timeout=30)
        self.server = None
        return code

    def server_log(self, lines=20):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    # ---------------------------------------------------------------- the end

    def close(self, keep=False):
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None
        self.log.close()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def main(run, world):
    """Runs the test; on failure the folder stays and its name is printed."""
    try:
        run(world)
    except (Failed, subprocess.TimeoutExpired) as failure:
        print(f"FAILED: {failure}\nthe server's log ends:\n{world.server_log()}\neverything is kept in {world.dir}")
        world.close(keep=True)
        return 1
    except BaseException:
        print(f"everything is kept in {world.dir}")
        world.close(keep=True)
        raise
    world.close()
    return 0
