#!/usr/bin/env python3
"""test_bundle.py BIN: rounds by stick with the real programs: the same books as over the network."""
import os
import stat
import sys

from programs import World, check, main


def names(run):
    return sorted(row["name"] for row in run("list", "account", "--json", "--limit", "100").json())


def stick(world, name):
    return os.path.join(world.dir, name)


def saves_go_up_and_the_book_comes_down(world):
    world.start_server()
    for rep in ("wang", "li"):
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
    world.stop_server()
    world.laptop("wang", "add", "account", "name=远大集团")
    made = world.laptop("wang", "bundle", "export", stick(world, "wang.up"), "--json").json()
    check(made["batches"] == 1 and not made["left"], made)
    mode = stat.S_IMODE(os.stat(stick(world, "wang.up")).st_mode)
    check(mode == 0o600, oct(mode))
    with open(stick(world, "wang.up"), "rb") as f:
        check("远大".encode() not in f.read(), "the stick can be read")
    done = world.office("bundle", "import", stick(world, "wang.up"), stick(world, "wang.down"), "--json").json()
    check(done["batches"] == 1 and done["repeats"] == 0, done)
    check(names(world.office) == ["远大集团"], names(world.office))
    world.laptop("wang", "bundle", "import", stick(world, "wang.down"))
    check(world.laptop("wang", "pending", "--json").json() == [], "the outbox is not empty")
    world.laptop("li", "bundle", "export", stick(world, "li.up"))
    world.office("bundle", "import", stick(world, "li.up"), stick(world, "li.down"))
    world.laptop("li", "bundle", "import", stick(world, "li.down"))
    check(names(lambda *w: world.laptop("li", *w)) == ["远大集团"], "li has another book")


def twice_does_no_harm(world):
    again = world.office("bundle", "import", stick(world, "wang.up"), stick(world, "wang.again"), "--json").json()
    check(again["batches"] == 0 and again["repeats"] == 1, again)
    for name in ("wang.down", "wang.again"):
        result = world.laptop("wang", "bundle", "import", stick(world, name))
        check("Nothing to take" in result.out or "无需导入" in result.out, str(result))
    check(names(world.office) == ["远大集团"], "the account is there twice")


def what_is_wrong_is_said(world):
    def refused(code, word, *words):
        result = world.laptop("wang", *words, fails=True)
        check(result.code == code and word in result.err, str(result))
    refused(65, "head office", "bundle", "import", stick(world, "wang.up"))
    refused(65, "is for device", "bundle", "import", stick(world, "li.down"))
    refused(65, "already", "bundle", "export", stick(world, "wang.up"))
    with open(stick(world, "wang.down"), "rb") as f:
        whole = f.read()
    with open(stick(world, "bent"), "wb") as f:
        f.write(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with open(stick(world, "short"), "wb") as f:
        f.write(whole[:len(whole) // 2])
    with open(stick(world, "other"), "wb") as f:
        f.write(b"not a bundle at all")
    refused(77, "changed on the way", "bundle", "import", stick(world, "bent"))
    refused(77, "changed on the way", "bundle", "import", stick(world, "short"))
    refused(76, "not a bundle", "bundle", "import", stick(world, "other"))
    result = world.office("bundle", "import", stick(world, "wang.down"), stick(world, "x"), fails=True)
    check(result.code == 65 and "goes to a laptop" in result.err, str(result))


def an_outdated_stick_is_told_what_to_do(world):
    world.laptop("wang", "add", "account", "name=Later")
    world.laptop("wang", "bundle", "export", stick(world, "wang.up2"))
    world.office("bundle", "import", stick(world, "wang.up2"), stick(world, "wang.down2"))
    world.laptop("wang", "bundle", "import", stick(world, "wang.down2"))
    world.laptop("wang", "add", "account", "name=Later still")
    world.laptop("wang", "bundle", "export", stick(world, "wang.up3"))
    world.office("bundle", "import", stick(world, "wang.up3"), stick(world, "wang.down3"))
    for env, words in (({}, ("outdated", "No answer", "roadbook bundle export")),
                       ({"LC_ALL": "zh_CN.UTF-8"}, ("已过时", "未写出应答", "roadbook bundle export"))):
        told = world.office("bundle", "import", stick(world, "wang.up2"), stick(world, "wang.none"), env=env)
        check(all(word in told.out for word in words), str(told))
        check(not os.path.exists(stick(world, "wang.none")), "an answer was written")
    world.laptop("wang", "bundle", "import", stick(world, "wang.down3"))


def then_the_network_is_back(world):
    world.start_server()
    world.laptop("wang", "set", "account", "远大集团", "city=杭州")
    world.laptop("wang", "sync")
    world.laptop("li", "sync")
    city = world.laptop("li", "get", "account", "远大集团", "--json").json()["city"]
    check(city == "杭州", city)
    world.office("verify")


def run(world):
    for step in (saves_go_up_and_the_book_comes_down, twice_does_no_harm, what_is_wrong_is_said,
                 an_outdated_stick_is_told_what_to_do, then_the_network_is_back):
        print(step.__name__.replace("_", " "), flush=True)
        step(world)


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
