"""What hostile projects try: a name, the source of `attack(argument)`, and what it is called."""

from __future__ import annotations

BY_SYSCALL = """
import gc, types
def libc():
    for each in gc.get_objects():
        if isinstance(each, types.ModuleType) and each.__name__ == "ctypes":
            return each.CDLL(None, use_errno=True), each
"""
"""Finds the ctypes module that the child itself had loaded."""

ATTEMPTS: dict[str, tuple[str, str]] = {
    "endless loop": ("def attack(_):\n    while True: pass", "cpu"),
    "sleep": ("import time\ndef attack(_): time.sleep(3600)", "time"),
    "4 GB": ("def attack(_): return len(bytearray(4 << 30))", "memory"),
    "many small": (
        "def attack(_):\n    held = []\n    while True: held.append([0] * 100_000)",
        "memory",
    ),
    "fork bomb": ("import os\ndef attack(_):\n    while True: os.fork()", "process"),
    "subprocess": (
        "import subprocess\ndef attack(_): subprocess.run(['/bin/true'])",
        "process",
    ),
    "shell": (
        "import os\ndef attack(_):\n    if os.system('true'): raise OSError('no shell')",
        "process",
    ),
    "thread": (
        "import threading\ndef attack(_): threading.Thread(target=print).start()",
        "process",
    ),
    "spawn": (
        "import os, sys\ndef attack(_): os.posix_spawn(sys.executable, ['x'], {})",
        "process",
    ),
    "exec": ("import os\ndef attack(_): os.execv('/bin/sh', ['sh'])", "process"),
    "passwd": ("def attack(_): return open('/etc/passwd').read()", "read"),
    "the home": (
        "import os\ndef attack(home): return os.listdir(home)",
        "read",
    ),
    "a key": ("def attack(home): return open(home + '/secret.key').read()", "read"),
    "dot dot": ("def attack(_): return open('../secret.key').read()", "read"),
    "process files": ("def attack(_): return open('/proc/1/environ').read()", "read"),
    "raw disk": ("def attack(_): return open('/dev/vda', 'rb').read(1)", "read"),
    "write home": ("def attack(home): open(home + '/planted', 'w').write('x')", "write"),
    "write project": ("def attack(_): open('planted', 'w').write('x')", "write"),
    "write tmp": ("def attack(_): open('/tmp/depin-planted', 'w').write('x')", "write"),
    "remove": ("import os\ndef attack(home): os.remove(home + '/secret.key')", "write"),
    "chmod": ("import os\ndef attack(home): os.chmod(home + '/secret.key', 0o777)", "write"),
    "times": ("import os\ndef attack(home): os.utime(home + '/secret.key', (0, 0))", "write"),
    "tcp": (
        "import socket\ndef attack(port): socket.create_connection(('127.0.0.1', port), 1)",
        "network",
    ),
    "listen": (
        "import socket\ndef attack(_): socket.socket().bind(('127.0.0.1', 0))",
        "network",
    ),
    "udp": (
        (
            "import socket\n"
            "def attack(_): socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"
        ),
        "network",
    ),
    "unix socket": (
        "import socket\ndef attack(_): socket.socket(socket.AF_UNIX).connect('\\0x')",
        "network",
    ),
    "ctypes": ("import ctypes\ndef attack(_): return ctypes.CDLL(None).getpid()", "ctypes"),
    "signal to the parent": (
        "import os, signal\ndef attack(_): os.kill(os.getppid(), signal.SIGKILL)",
        "signal",
    ),
    "signal to all": ("import os\ndef attack(_): os.kill(-1, 9)", "signal"),
    "huge print": ("def attack(_):\n    while True: print('x' * 10_000)", "printed"),
    "huge answer": ("def attack(_): return 'x' * (3 << 20)", "result"),
    "symlink in the project": ("def attack(_): return open('link').read()", "read"),
    "symlink of its own": (
        (
            "import os\n"
            "def attack(_):\n"
            "    os.symlink('/etc/passwd', os.environ['HOME'] + '/l')\n"
            "    return open(os.environ['HOME'] + '/l').read()"
        ),
        "write",
    ),
    "hard link": (
        "import os\ndef attack(home): os.link(home + '/secret.key', os.environ['HOME'] + '/l')",
        "write",
    ),
    "bomb in memory": (
        (
            "import zlib\n"
            "def attack(_):\n"
            "    packed = zlib.compress(bytes(16 << 20))\n"
            "    held = []\n"
            "    while True: held.append(zlib.decompress(packed))"
        ),
        "memory",
    ),
    "end itself": ("import os\ndef attack(_): os._exit(0)", "crash"),
    "raise limits": (
        (
            "import resource\n"
            "def attack(_): resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))"
        ),
        "system",
    ),
    "caught": (
        (
            "def attack(_):\n"
            "    try: open('/etc/passwd')\n"
            "    except OSError: pass\n"
            "    return 'innocent'"
        ),
        "read",
    ),
}
"""Name → source, kind it is stopped as."""

BY_KERNEL_ALONE = {
    "fork": "return call('fork')",
    "socket": "return call('socket', 2, 1, 0)",
    "passwd": "return call('open', b'/etc/passwd', 0)",
    "key": "return call('open', home.encode() + b'/secret.key', 0)",
    "kill": "return call('kill', -1, 9)",
    "parent death": "return call('prctl', 1, 0)",
    "execve": "return call('execve', b'/bin/sh', None, None)",
    "ptrace": "return call('ptrace', 0, 0, 0, 0)",
    "unshare": "return call('unshare', 0x10000000)",
    "mount": "return call('mount', b'none', b'/', b'tmpfs', 0, None)",
    "chroot": "return call('chroot', b'/')",
    "umount": "return call('umount2', b'/', 2)",
    "memfd": "return call('memfd_create', b'x', 0)",
    "create": "return call('open', b'planted', 0o102, 0o600)",
    "truncate": "return call('truncate', home.encode() + b'/secret.key', 0)",
    "chmod": "return call('chmod', home.encode() + b'/secret.key', 0o777)",
    "setuid": "return call('setresuid', 0, 0, 0)",
    "limits": "return call('setrlimit', 7, None)",
}
"""Attempt → body of a function that goes past the interpreter; each must give -1."""

CALLS = (
    BY_SYSCALL
    + """
def attack(home):
    library, ctypes = libc()
    def call(name, *arguments):
        found = getattr(library, name)(*arguments)
        return [found, ctypes.get_errno()]
    BODY
"""
)
