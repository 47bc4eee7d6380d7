#!/usr/bin/env python3
"""test_key.py BIN: the org's signing key is changed while the server serves. Laptops follow, however long they were
away, by whatever way they come; a thief of an older key gets nothing from those that have heard of it."""
import csv
import glob
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import time

from programs import World, check, main

REVOKED = 78


def org_files(world):
    return sorted(glob.glob(os.path.join(world.home, "org", "*")))


def book(world):
    return os.path.join(world.home, "org", world.org + ".db")


def keys_file(world):
    return os.path.join(world.home, "org", world.org + ".keys")


def seed_of(path):
    with sqlite3.connect(path) as db:
        seed = db.execute("SELECT value FROM secret_setting WHERE name = 'org_key_seed'").fetchone()[0]
    db.close()
    return seed


def read(path):
    with open(path, "rb") as file:
        return file.read()


def change(world):
    """A new key, while syncd serves; the old private key is nowhere any more."""
    old = seed_of(book(world))
    said = world.office("org", "key", "change", "--yes", "--json")
    done = said.json()
    check(done["erased"], f"the old key was not erased: {said}")
    for path in org_files(world):
        check(not path.endswith(".db") or os.path.isfile(path), path)
        if os.path.isfile(path) and ".before-" not in path:
            check(old not in read(path) and old.hex().encode() not in read(path), f"the old private key is in {path}")
    for text in (said.out, said.err, open(world.log.name, errors="replace").read()):
        for seed in (old, seed_of(book(world))):
            check(seed.hex() not in text, f"a private key was said: {text}")
    return done


def knows(world, name):
    return world.laptop(name, "status", "--json").json()["key_changes"]


def proved(world, name, when):
    result = world.laptop(name, "sync", "--verify")
    check("equals the server" in result.err, f"{when}, {name}: {result}")


def names(run):
    return sorted(row["name"] for row in run("list", "account", "--json", "--limit", "100").json())


def keys_of(world):
    return [row["key"] for row in world.office("org", "key", "--json").json()]


def a_change_while_it_serves(world):
    for rep in ("wang", "li", "zhao", "lost"):
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
        world.laptop(rep, "sync")
    world.old_link = world.link("wang")
    check(not os.path.exists(keys_file(world)), "there is a file of keys before the first change")
    first = keys_of(world)
    check(len(first) == 1 and first[0] in world.old_link, f"{first} is not in {world.old_link}")
    refused = world.office("org", "key", "change", fails=True)
    check(refused.code != 0 and "--yes" in refused.err and keys_of(world) == first, str(refused))
    check("--yes" in world.office("org", "key", "change", "--lang", "zh", fails=True).err, "not in Chinese")
    world.laptop("wang", "add", "account", "name=Before")
    world.laptop("wang", "sync")
    world.backup = os.path.join(world.dir, "before.db")
    world.office("backup", world.backup)
    world.laptop("wang", "add", "account", "name=While")
    done = change(world)
    check(done["number"] == 2 and [done["former"], done["key"]] == keys_of(world), f"{done}: {keys_of(world)}")
    check(os.stat(keys_file(world)).st_mode & 0o777 == 0o600, "others can read the file of keys")
    said = world.laptop("wang", "sync")
    check(knows(world, "wang") == 1, str(said))
    check("Org's key" in world.laptop("wang", "status").out, world.laptop("wang", "status").out)
    proved(world, "wang", "after the change")
    check(names(world.office) == ["Before", "While"], names(world.office))
    check(world.office("verify").code == 0, "verify finds something")
    shown = world.office("org", "key").out
    check(done["key"] in shown and done["former"] in shown, shown)
    entry = [row for row in world.office("org", "key", "--json").json() if row["number"] == 2][0]
    check(entry["by"] and entry["seq"] == done["seq"] and entry["since"], f"nobody says who did it: {entry}")


def away_over_two(world):
    world.laptop("li", "add", "account", "name=Lis, unsent")
    change(world)
    world.laptop("wang", "sync")
    check((knows(world, "wang"), knows(world, "li")) == (2, 0), "who knows what")
    world.laptop("li", "sync")
    check(knows(world, "li") == 2, "two changes at once")
    proved(world, "li", "away over two changes")
    check("Lis, unsent" in names(world.office), names(world.office))


def under_the_daemon(world):
    """roadbook-syncd holds a session, and a key in memory, and waits: it goes on with the new key by itself."""
    env = {**world.env, "ROADBOOK_HOME": world.laptop_home("li")}
    daemon = subprocess.Popen([os.path.join(world.bin, "roadbook-syncd")], env=env, stdout=world.log, stderr=world.log)
    try:
        world.laptop("li", "add", "account", "name=By the daemon")
        until(lambda: "By the daemon" in names(world.office), "the daemon sends nothing")
        change(world)
        world.laptop("li", "add", "account", "name=After the change")
        until(lambda: "After the change" in names(world.office), "the daemon does not follow")
        check(knows(world, "li") == 3, "the daemon does not keep the new key")
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)


def until(done, what, seconds=60):
    end = time.monotonic() + seconds
    while not done():
        check(time.monotonic() < end, what)
        time.sleep(0.1)


def old_and_new_links(world):
    """Each laptop learns the first key, by which rows are hashed: those before it, or those after it, prove it."""
    check(keys_of(world)[0] in world.old_link, "the link is not an old one")
    env_home = world.laptop_home("wangs second")
    world.laptop("wangs second", "enroll", world.old_link)
    check(os.path.isdir(env_home) and knows(world, "wangs second") == 3, "by an old link")
    proved(world, "wangs second", "an old link")
    link = world.link("li")
    check(keys_of(world)[3] in link, "a new link has an old key")
    world.laptop("lis second", "enroll", link)
    check(knows(world, "lis second") == 3, "by a new link")
    proved(world, "lis second", "a new link")


def sticks(world):
    """What was sealed to the old key nobody can read; the answer tells the new one, and then it works."""
    stick = {way: os.path.join(world.dir, f"zhao.{way}") for way in ("up", "down", "up2", "down2")}
    world.laptop("zhao", "add", "account", "name=On a stick")
    check(knows(world, "zhao") == 0, "zhao was to be away")
    world.laptop("zhao", "bundle", "export", stick["up"])
    done = world.office("bundle", "import", stick["up"], stick["down"], "--json").json()
    check(done["key_only"] and done["batches"] == 0, str(done))
    said = world.laptop("zhao", "bundle", "import", stick["down"])
    check("new key" in said.out and knows(world, "zhao") == 3, str(said))
    world.laptop("zhao", "bundle", "export", stick["up2"])
    done = world.office("bundle", "import", stick["up2"], stick["down2"], "--json").json()
    check(not done["key_only"] and done["batches"] == 1, str(done))
    world.laptop("zhao", "bundle", "import", stick["down2"])
    check(world.laptop("zhao", "pending", "--json").json() == [], "the outbox is not empty")
    check("On a stick" in names(lambda *w: world.laptop("zhao", *w)), "zhao has another book")
    again = world.laptop("zhao", "bundle", "import", stick["down"])  # twice does no harm
    check(again.code == 0 and knows(world, "zhao") == 3, str(again))
    proved(world, "zhao", "after the stick")


def an_order_by_the_new_key(world):
    world.laptop("lost", "add", "account", "name=Losts, unsent")
    number = next(d["device"] for d in world.office("device", "list", "--json").json() if d["user"] == "Lost")
    world.office("device", "lost", number)
    result = world.laptop("lost", "sync", fails=True)
    check(result.code == REVOKED and "deleted" in result.err, f"the order was not obeyed: {result}")
    check(any("Losts, unsent" in str(h) for h in world.office("requests", "--json").json()), "unsent work is lost")


def set_back_to_before(world):
    """A restored server signs with the newest key; what laptops have of the time before proves what it had said."""
    world.user("chen")
    world.laptop("chen", "enroll", world.link("chen"))
    world.laptop("chen", "sync")
    world.stop_server()
    aside = os.path.join(world.dir, "image")
    os.makedirs(aside)
    shutil.copy(book(world), aside)
    world.start_server()
    world.laptop("chen", "add", "account", "name=Chens, acknowledged")
    world.laptop("chen", "sync")
    world.office("field", "add", "account", "fleet_cars", "--type", "int", "--label", "Cars", "--label-zh", "车辆")
    world.laptop("chen", "sync")
    seq = change(world)["seq"]
    for rep in ("wang", "li"):
        world.laptop(rep, "sync")
    world.laptop("wang", "add", "account", "name=Wangs, acknowledged later")
    world.laptop("wang", "sync")
    check(knows(world, "chen") == 3 and knows(world, "wang") == 4, "chen was to be away")
    world.stop_server()
    now = seed_of(book(world))
    for path in (book(world), book(world) + "-wal", book(world) + "-shm", book(world)[:-3] + ".head"):
        if os.path.exists(path):                             # nothing but a laptop says that it went back
            os.remove(path)
    shutil.copy(os.path.join(aside, os.path.basename(book(world))), book(world))
    old = seed_of(book(world))
    check(old != now, "the image has the newest key")
    found = world.office("verify", fails=True)
    check("knows of 4 changes" in found.out + found.err, f"verify says nothing: {found}")
    world.start_server()
    for _ in range(2):
        world.laptop("chen", "sync")   # its word of the server's is by a key that is gone
    check(world.office("recovery", "status", "--json").json(), "no epoch was begun")
    check(seed_of(book(world)) == now and len(keys_of(world)) == 5, "the restored server has an old key")
    check(not any(old in read(path) for path in org_files(world) if os.path.isfile(path)), "the old private key is there")
    for rep in ("wang", "li", "zhao", "chen", "wangs second", "lis second") * 2:
        world.laptop(rep, "sync")
    world.office("recovery", "accept")
    world.office("recovery", "end", "--yes")
    for rep in ("wang", "li", "chen") * 2:
        world.laptop(rep, "sync")
    got = names(world.office)
    check("Chens, acknowledged" in got and "Wangs, acknowledged later" in got, f"lost: {got}")
    check("fleet_cars" in world.office("field", "list").out, "a field is lost")
    for rep in ("wang", "li", "chen"):
        proved(world, rep, "set back to before a change")
    check(world.office("verify").code == 0 and seq > 0, "verify finds something")


def as_the_release_before(path):
    """It knew one key only, among the settings that everybody may read."""
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO meta(name, value) SELECT name, value FROM secret_setting WHERE name = 'org_key_seed'")
        db.execute("DELETE FROM secret_setting WHERE name = 'org_key_seed'")
        db.execute("UPDATE meta SET value = 4 WHERE name = 'layout'")
        db.execute("UPDATE meta SET value = 1 WHERE name = 'schema'")
        db.execute("DROP TABLE secret_org_key")
        db.execute("DROP TABLE former_row")
    db.close()


def restored_from_a_backup(world):
    """Of the release before, and of before the first change."""
    world.stop_server()
    before = keys_of(world)
    as_the_release_before(world.backup)
    world.office("restore", world.backup)
    with sqlite3.connect(book(world)) as db:
        check(db.execute("SELECT count(*) FROM meta WHERE name = 'org_key_seed'").fetchone()[0] == 0, "the key is where sql reads")
    db.close()
    check(keys_of(world) == before, "restore brings an old key back")
    world.start_server()
    for rep in ("wang", "li", "zhao") * 3:                   # the others came later than the backup
        world.laptop(rep, "sync")
    world.office("recovery", "accept")
    world.office("recovery", "end", "--yes")
    for rep in ("wang", "li", "zhao") * 2:
        world.laptop(rep, "sync")
    for rep in ("wang", "li"):
        proved(world, rep, "restored from before the first change")
    got = names(world.office)
    check({"While", "Lis, unsent", "On a stick"} <= set(got), f"lost: {got}")
    check(world.office("verify").code == 0, "verify finds something")


def thief(world):
    """Who has an old backup, the TLS key and the address: those that have heard of the change do not believe him."""
    world.laptop("wang", "add", "account", "name=Not for thieves")
    world.stop_server()
    aside = os.path.join(world.dir, "aside")
    os.makedirs(aside)
    for path in org_files(world):
        if os.path.isfile(path):
            shutil.move(path, aside)
    shutil.copy(world.backup, book(world))
    world.start_server()
    result = world.laptop("wang", "sync", fails=True)
    check(result.code != 0 and "older key" in result.err, f"a thief is believed: {result}")
    check("旧" in world.laptop("wang", "sync", "--lang", "zh", fails=True).err, "not in Chinese")
    check(len(world.laptop("wang", "pending", "--json").json()) == 1, "the outbox is not as it was")
    check(names(world.office) == ["Before"], f"the thief got {names(world.office)}")
    check(knows(world, "wang") == 4, "wang knows an older key now")
    world.stop_server()
    for path in org_files(world):
        if os.path.isfile(path):
            os.remove(path)
    for name in os.listdir(aside):
        shutil.move(os.path.join(aside, name), os.path.dirname(book(world)))
    world.start_server()
    world.laptop("wang", "sync")
    check("Not for thieves" in names(world.office), "the true server does not get it")


def the_file_of_keys(world):
    """It comes back from the book, from the folder of the copy; damaged it is refused."""
    whole = read(keys_file(world))
    bent = whole[:-9] + (b"0" if whole[-9:-8] != b"0" else b"1") + whole[-8:]    # a digit of the sum
    os.remove(keys_file(world))
    found = world.office("verify", fails=True)
    check(found.code != 0 and "is missing" in found.out + found.err, str(found))
    world.office("org", "key")
    check(read(keys_file(world)) == whole and world.office("verify").code == 0, "the file is not written again")
    folder = os.path.join(world.dir, "copy")
    world.office("copy", "start", folder)
    world.office("org", "key")
    check(read(os.path.join(folder, "keys")) == whole, "the folder of the copy does not have it")
    made = os.path.join(world.dir, "made.db")
    world.office("copy", "read", folder, made)
    check(read(made[:-3] + ".keys") == whole, "a book made from the copy does not have it")
    with open(keys_file(world), "wb") as file:
        file.write(bent)
    found = world.office("verify", fails=True)
    check("cannot be read" in found.out + found.err, str(found))
    world.office("org", "key")                               # the copy's is sound
    check(read(keys_file(world)) == whole, "a damaged file is not put right")
    world.office("copy", "stop")
    with open(keys_file(world), "wb") as file:
        file.write(bent)
    refused = world.office("org", "key", fails=True)
    check(refused.code != 0 and "cannot be read" in refused.err, str(refused))
    with open(keys_file(world), "wb") as file:
        file.write(whole)
    world.office("org", "key")


def lost_for_good(world):
    """The newest key exists nowhere any more. Whoever has heard of it gets a new book, and brings over what he had."""
    world.laptop("wang", "add", "account", "name=Kept on the laptop")
    world.stop_server()
    os.remove(keys_file(world))
    for path in glob.glob(book(world) + "*"):
        os.remove(path)
    shutil.copy(world.backup, book(world))
    world.start_server()
    for rep in ("wang", "li"):
        refused = world.laptop(rep, "sync", fails=True)
        check(refused.code != 0 and "older key" in refused.err, f"{rep}: {refused}")
    change(world)                                            # that of the backup may be in other hands
    refused = world.laptop("wang", "sync", fails=True)
    check(refused.code != 0 and knows(world, "wang") == 4, f"another life of the keys is believed: {refused}")
    path = os.path.join(world.dir, "brought over.csv")
    with open(path, "w", encoding="utf-8") as file:
        rows = csv.DictReader(io.StringIO(world.laptop("wang", "export", "account").out))
        file.write("name\n" + "".join(f'"{row["name"]}"\n' for row in rows))
    os.rename(world.laptop_home("wang"), world.laptop_home("wang before"))
    world.laptop("wang", "enroll", world.link("wang"))
    world.laptop("wang", "import", "account", path)
    world.laptop("wang", "sync")
    check("Kept on the laptop" in names(world.office), f"unsent work is lost: {names(world.office)}")
    check(knows(world, "wang") == 1, "the laptop does not know the new life of the keys")
    world.office("recovery", "end", "--yes")
    world.laptop("wang", "sync")
    proved(world, "wang", "a new life of the keys")
    other = os.path.join(world.dir, "image", "acme.db")      # a book of the life that is forgotten
    world.stop_server()
    held = read(keys_file(world))
    refused = world.office("restore", other, fails=True)
    check(refused.code != 0 and ".keys" in refused.err, f"two lives are mixed: {refused}")
    check(read(keys_file(world)) == held and "Kept on the laptop" in names(world.office), "a restore that was refused did something")
    world.start_server()


def run(world):
    world.start_server()
    for part in PARTS:
        part(world)
        print(f"  {part.__name__.replace('_', ' ')}", flush=True)


PARTS = [a_change_while_it_serves, away_over_two, under_the_daemon, old_and_new_links, sticks, an_order_by_the_new_key, set_back_to_before,
         restored_from_a_backup, thief, the_file_of_keys, lost_for_good]

if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
