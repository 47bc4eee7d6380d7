#!/usr/bin/env python3
"""The shipped reverse-proxy configuration, with the real nginx on loopback. Skipped (77) where nginx is not installed.

usage: test_nginx.py BIN_DIR
"""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

BIN = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build/bin"
SERVER = os.path.join(BIN, "roadbook-server")
LAPTOP = os.path.join(BIN, "e2e_laptop")
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../syncd/server/nginx.conf.example")
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def configuration(folder, port):
    """The example with this test's paths and port; everything else as shipped."""
    with open(CONFIG) as file:
        text = file.read()
    text, count = re.subn(r"listen 443 ssl http2;", "listen 127.0.0.1:%d ssl http2;" % port, text)
    assert count == 1
    text = re.sub(r"\n\s*listen \[::\]:443 ssl http2;", "", text)
    text = text.replace("/run/roadbook/server.sock", folder + "/server.sock")
    text = text.replace("/etc/ssl/roadbook/fullchain.pem", folder + "/home/tls/cert.pem")
    text = text.replace("/etc/ssl/roadbook/privkey.pem", folder + "/home/tls/key.pem")
    text = text.replace("book.example.com", "localhost")
    user = "user root;\n" if os.geteuid() == 0 else ""
    return ("%sworker_processes 1;\npid %s/nginx.pid;\nerror_log %s/nginx.log;\nevents {}\nhttp {\naccess_log off;\n"
            "client_body_temp_path %s/body;\nproxy_temp_path %s/proxy;\nfastcgi_temp_path %s/f;\nuwsgi_temp_path %s/u;\n"
            "scgi_temp_path %s/s;\n%s\n}\n" % ((user,) + (folder,) * 7 + (text,)))


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, (words[:4], done.stdout, done.stderr)
    return done.stdout


def wait_until(what, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def check(folder):
    port = free_port()
    url = "https://localhost:%d" % port
    home = folder + "/home"
    server = [SERVER, "--home", home]
    run(*server, "init", "--public-url", url)
    run(*server, "org", "add", "acme", "--scope", "open")
    run(*server, "user", "add", "li", "--name", "李娜")
    with open(folder + "/nginx.conf", "w") as file:
        file.write(configuration(folder, port))
    processes = [subprocess.Popen(server + ["serve", "--unix", folder + "/server.sock", "--forwarded"], stderr=subprocess.PIPE),
                 subprocess.Popen([NGINX, "-p", folder, "-c", folder + "/nginx.conf", "-g", "daemon off;"],
                                  stderr=subprocess.DEVNULL)]
    trust = ssl.create_default_context(cafile=home + "/tls/cert.pem")

    def code(path, data=None):
        try:
            with urllib.request.urlopen(urllib.request.Request(url + path, data=data), context=trust, timeout=10) as r:
                return r.status
        except urllib.error.HTTPError as e:
            e.close()
            return e.code
        except OSError:
            return 0

    try:
        wait_until(lambda: code("/health") == 200)
        assert code("/metrics") == 200                     # loopback is allowed
        assert code("/acme/round", b"x") == 401
        assert code("/acme/round", b"x" * (5 * 1024 * 1024)) == 413
        for name in "ab":
            link = run(*server, "link", "li").strip()
            run(LAPTOP, folder + "/" + name, "enroll", link)
        run(LAPTOP, folder + "/a", "add", "大众汽车")
        run(LAPTOP, folder + "/a", "sync")
        run(LAPTOP, folder + "/b", "sync")
        assert run(LAPTOP, folder + "/b", "names") == "大众汽车\n"
        # The server is gone for a while: nginx says 502, the laptop keeps its work and goes on later.
        processes[0].terminate()
        processes[0].communicate(timeout=30)
        run(LAPTOP, folder + "/a", "add", "later")
        assert subprocess.run([LAPTOP, folder + "/a", "sync"], capture_output=True).returncode == 69
        processes[0] = subprocess.Popen(server + ["serve", "--unix", folder + "/server.sock", "--forwarded"], stderr=subprocess.PIPE)
        wait_until(lambda: code("/health") == 200)
        run(LAPTOP, folder + "/a", "sync")
        run(LAPTOP, folder + "/b", "sync")
        assert run(LAPTOP, folder + "/b", "names") == "later\n大众汽车\n"
    finally:
        for process in reversed(processes):
            process.terminate()
            text = process.communicate(timeout=30)[1]
    assert b"peer=127.0.0.1" in text, text                 # the proxy names the laptop's address


def main():
    if not NGINX:
        print("nginx is not installed: skipped")
        return 77
    folder = tempfile.mkdtemp(prefix="roadbook-nginx-")
    try:
        check(folder)
    finally:
        shutil.rmtree(folder)
    print("the shipped nginx configuration works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
