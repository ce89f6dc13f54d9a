"""What a traced program did to the files below one folder, and what of it a disk still has after a power loss.

`trace` records; `read_trace` gives the operations; `Disk` plays them and says what is there when the power goes:
nothing is promised to be on the disk but what an fsync, fdatasync or syncfs was called for. A folder's fsync makes its
names durable, a rename is there whole or not at all. This is stricter than the usual file systems are.
"""
import os
import re
import stat

CALLS = ("open,openat,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,rename,renameat,renameat2,link,linkat,symlink,"
         "symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,fchmod,chmod,fchmodat,fsync,fdatasync,sync,syncfs,fallocate,"
         "copy_file_range,sendfile,ioctl")


def command(trace):
    """To be put before the command that is traced; what it does is added to the file `trace`."""
    return ["strace", "-f", "-y", "-xx", "-s", "1000000000", "-A", "-o", trace, "-e", "trace=" + CALLS, "-e", "signal=none"]


LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
WORD = re.compile(r'"((?:\\x..)*)"|(-?\d+|AT_FDCWD)<((?:\\x..)*)>|([A-Za-z_0-9|]+)')

DELETED = re.compile(r"<(?:\\x..)*>\(deleted\)")  # nowhere any more: put where nobody looks


def text(escaped):
    return bytes.fromhex(escaped.replace("\\x", ""))


class Call:
    """`words`: strings as bytes, descriptors as their path, the rest as text."""

    def __init__(self, name, written):
        self.name, self.words = name, []
        arguments = written.rsplit(") = ", 1)[0] if ") = " in written else re.sub(r"\)\s+= .*$", "", written)
        arguments = DELETED.sub(r"<\\x2f>", arguments)
        for string, number, path, word in WORD.findall(arguments):
            self.words.append(word if word else text(path).decode() if number else text(string))
        result = re.search(r"\)\s+= (-?\d+)", written)
        self.result = int(result.group(1)) if result else None


def read_trace(path):
    """The calls that succeeded, in the order in which they ended; those that sync where they began, for they promise
    nothing of what is written meanwhile."""
    begun, calls = {}, []
    for line in open(path):
        found = LINE.match(line)
        if not found:
            continue
        process, resumed, name, rest = found.groups()
        if rest.endswith("<unfinished ...>"):
            place = None
            if "sync" in name:
                place = len(calls)
                calls.append(None)
            begun[process] = (name, rest[: -len("<unfinished ...>")], place)
            continue
        place = None
        if resumed:
            name, first, place = begun.pop(process)
            rest = first + rest
        call = Call(name, rest)
        if call.result is not None and call.result >= 0:
            if place is None:
                calls.append(call)
            else:
                calls[place] = call
    return [call for call in calls if call]


class Node:
    def __init__(self, kind, mode=0, target=b""):
        self.kind, self.mode, self.target = kind, mode, target
        self.names, self.durable_names = {}, {}
        self.data, self.durable_data, self.writes = bytearray(), b"", []

    def write(self, offset, data):
        self.writes.append((offset, data))
        apply_write(self.data, offset, data)

    def truncate(self, length):
        self.writes.append((length, None))
        apply_write(self.data, length, None)


def apply_write(data, offset, written):
    if written is None:
        del data[offset:]
        data.extend(bytes(offset - len(data)))
    else:
        data.extend(bytes(max(0, offset - len(data))))
        data[offset:offset + len(written)] = written


class Disk:
    def __init__(self, top):
        self.top, self.folder = top, Node("d")
        self.pending = []  # changes of names that are not durable: lists of (folder, name, node or None)

    # ---- Playing ----

    def parts(self, path):
        path = os.path.normpath(path)
        return path[len(self.top) + 1:].split("/") if path.startswith(self.top + "/") else None

    def find(self, path):
        if os.path.normpath(path) == self.top:
            return self.folder
        parts = self.parts(path)
        node = self.folder if parts else None
        for part in parts or []:
            node = node.names.get(part) if node is not None else None
        return node

    def place(self, path):
        """The folder of a path, and its name in it; None: it lies elsewhere."""
        parts = self.parts(path)
        if not parts:
            return None
        folder = self.find(os.path.dirname(os.path.normpath(path)))
        return (folder, parts[-1]) if folder is not None else None

    def change(self, *changes):
        for folder, name, node in changes:
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node
        self.pending.append(changes)

    def sync_names(self, wanted):
        """Makes the pending changes durable that `wanted` says, and those they build on."""
        taken = {index for index, changes in enumerate(self.pending) if wanted(changes)}
        for index in range(len(self.pending) - 1, -1, -1):
            places = {(id(folder), name) for later in taken if later > index for folder, name, _ in self.pending[later]}
            if any((id(folder), name) in places for folder, name, _ in self.pending[index]):
                taken.add(index)
        for index in sorted(taken):
            for folder, name, node in self.pending[index]:
                if node is None:
                    folder.durable_names.pop(name, None)
                else:
                    folder.durable_names[name] = node
        self.pending = [changes for index, changes in enumerate(self.pending) if index not in taken]

    def sync(self, node):
        if node.kind == "d":
            self.sync_names(lambda changes: any(folder is node for folder, _, _ in changes))
        node.durable_data, node.writes = bytes(node.data), []

    def sync_all(self):
        self.sync_names(lambda changes: True)
        self.walk(self.folder, self.sync)

    def walk(self, node, do):
        do(node)
        for below in node.names.values():
            self.walk(below, do)

    def play(self, call):
        """Did it change anything here?"""
        return getattr(self, "play_" + call.name)(*self.located(call))

    def located(self, call):
        """Names that follow a folder's descriptor are put behind its path."""
        words, name = [], call.name
        at = name.endswith("at") or name in ("renameat2",)
        for word in call.words:
            if isinstance(word, bytes) and name not in ("write", "pwrite64", "writev", "pwritev"):
                decoded = os.fsdecode(word)
                if name in ("symlink", "symlinkat") and not words:
                    words.append(decoded)
                    continue
                if at and words and not decoded.startswith("/"):
                    decoded = os.path.join(words.pop(), decoded)
                elif at and words:
                    words.pop()
                words.append(decoded)
            else:
                words.append(word)
        return words

    def play_openat(self, path, flags, mode="0", *_):
        place, node = self.place(path), self.find(path)
        if place is None or "O_DIRECTORY" in flags:
            return False
        if node is None and "O_CREAT" in flags:
            self.change((*place, Node("f", int(mode, 8) & 0o755)))
            return True
        if node is not None and "O_TRUNC" in flags and node.data:
            node.truncate(0)
            return True
        return False

    play_open = play_openat

    def play_creat(self, path, mode):
        return self.play_openat(path, "O_CREAT|O_TRUNC", mode)

    def play_write(self, path, data, *_):
        node = self.find(path)
        if node is not None:
            node.write(len(node.data), data)
        return node is not None

    def play_pwrite64(self, path, data, _, offset):
        node = self.find(path)
        if node is not None:
            node.write(int(offset), data)
        return node is not None

    def play_writev(self, path, *words):
        return self.play_write(path, b"".join(word for word in words if isinstance(word, bytes)))

    def play_ftruncate(self, path, length):
        node = self.find(path)
        if node is not None:
            node.truncate(int(length, 0))
        return node is not None

    play_truncate = play_ftruncate

    def not_played(self, *words):
        # What would have to be added first if anything came to use it.
        here = [word for word in words if isinstance(word, str) and self.find(word) is not None]
        assert not here, f"a call that is not known here changes one of {here}"
        return False

    play_pwritev = play_fallocate = play_copy_file_range = play_sendfile = not_played

    def play_ioctl(self, path, request, *_):
        assert request != "FICLONE" or self.find(path) is None, "clones are not known here"
        return False

    def play_rename(self, old, new, *_):
        source, target = self.place(old), self.place(new)
        if source is None or target is None:
            return False
        self.change((*source, None), (*target, source[0].names[source[1]]))
        return True

    play_renameat = play_renameat2 = play_rename

    def play_link(self, old, new, *_):
        node, target = self.find(old), self.place(new)
        if target is not None:
            self.change((*target, node))
        return target is not None

    play_linkat = play_link

    def play_symlink(self, target, path):
        place = self.place(path)
        if place is not None:
            self.change((*place, Node("l", target=target)))
        return place is not None

    play_symlinkat = play_symlink

    def play_unlink(self, path, *_):
        place = self.place(path)
        if place is not None:
            self.change((*place, None))
        return place is not None

    play_unlinkat = play_rmdir = play_unlink

    def play_mkdir(self, path, *_):
        place = self.place(path)
        if place is not None:
            self.change((*place, Node("d", 0o755)))
        return place is not None

    play_mkdirat = play_mkdir

    def play_fchmod(self, path, mode, *_):
        node = self.find(path)
        if node is not None:
            node.mode = int(mode, 8)
        return False  # permissions are taken to be there at once

    play_chmod = play_fchmodat = play_fchmod

    def play_fsync(self, path):
        node = self.find(path)
        if node is not None:
            self.sync(node)
        return node is not None

    play_fdatasync = play_fsync

    def play_syncfs(self, *_):
        self.sync_all()
        return True

    play_sync = play_syncfs

    # ---- Losing the power ----

    def states(self, chance):
        """Name and content of what may be on the disk now: folders as dicts, files as (bytes, mode), links as texts."""
        def durable_data(node):
            return node.durable_data

        def all_data(node):
            return bytes(node.data)

        def some_data(node):
            data = bytearray(node.durable_data)
            for write in node.writes:
                if chance.random() < 0.5:
                    apply_write(data, *write)
            return bytes(data)

        def durable_names(node):
            return node.durable_names

        def all_names(node):
            return node.names

        yield "nothing that was not synced", self.content(self.folder, durable_names, durable_data)
        yield "everything", self.content(self.folder, all_names, all_data)
        yield "names without data", self.content(self.folder, all_names, durable_data)
        yield "data without names", self.content(self.folder, durable_names, all_data)
        yield "some data", self.content(self.folder, all_names, some_data)
        # Names up to some change: what a journal has that was written out half-way.
        names = self.names_up_to(chance.randint(0, len(self.pending)))
        yield "some names", self.content(self.folder, lambda node: names.get(id(node), node.durable_names), some_data)

    def names_up_to(self, count):
        names = {}
        for changes in self.pending[:count]:
            for folder, name, node in changes:
                mine = names.setdefault(id(folder), dict(folder.durable_names))
                if node is None:
                    mine.pop(name, None)
                else:
                    mine[name] = node
        return names

    def content(self, node, names, data):
        if node.kind == "d":
            # An index in memory that processes share is no file that survives.
            return {name: self.content(below, names, data) for name, below in names(node).items() if not name.endswith("-shm")}
        return node.target if node.kind == "l" else (data(node), node.mode)


def write_state(content, path):
    if isinstance(content, dict):
        os.makedirs(path, exist_ok=True)
        for name, below in content.items():
            write_state(below, os.path.join(path, name))
    elif isinstance(content, str):
        os.symlink(content, path)
    else:
        with open(path, "wb") as file:
            file.write(content[0])
        os.chmod(path, stat.S_IMODE(content[1]) | stat.S_IRUSR)
