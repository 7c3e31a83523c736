"""Lets a program of this machine find the hosts of its job by name, and nobody else.

    python -I -S names.py HOSTS-FILE COMMAND...

becomes COMMAND in a mount namespace of its own, in which /etc/hosts is HOSTS-FILE: every program of the job, in any
language, then resolves the names as it resolves those of the machine. Root makes the namespace as it is; others, a
user namespace with their own id around it. Standard library only, few imports: it stands in the way of a job's first
line.
"""

import ctypes
import os
import sys

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _SLAVE = 0x1000, 0x4000, 0x80000
_LIBC = ctypes.CDLL(None, use_errno=True)
_HOSTS = "/etc/hosts"


def main(argv: list[str]) -> int:
    hosts, *command = argv
    try:
        show(hosts)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"[drydock] cannot run {command[0]} with host names of its own: {error.strerror}\n".encode())
    return 127


def show(hosts: str) -> None:
    """Put the file in the place of /etc/hosts for this process and its children; OSError where that is not allowed."""
    user, group = os.getuid(), os.getgid()
    if _LIBC.unshare(_NEW_MOUNTS):
        _check(_LIBC.unshare(_NEW_MOUNTS | _NEW_USER))
        for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
                file.write(line)
    _check(_LIBC.mount(b"none", b"/", None, _RECURSIVE | _SLAVE, None))
    _check(_LIBC.mount(os.fsencode(hosts), _HOSTS.encode(), None, _BIND, None))


def content(addresses: dict[str, str]) -> str:
    """The machine's own hosts file, below the names of the job."""
    try:
        with open(_HOSTS, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            of_machine = file.read()
    except FileNotFoundError:
        of_machine = "127.0.0.1 localhost\n"
    return "".join(f"{address} {name}\n" for name, address in addresses.items()) + of_machine


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
