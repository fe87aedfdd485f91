"""A terminal with a client in it, for clients that are idle: enough of one that they start."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time

# What programs ask a terminal, and what it says: cursor, attributes, colours, keyboard protocol.
ANSWERS = [
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[(0|)c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>(0|)c"), b"\x1b[>1;10;0c"),
    (re.compile(rb"\x1b\]10;\?(\x07|\x1b\\)"), b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (re.compile(rb"\x1b\]11;\?(\x07|\x1b\\)"), b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
    (re.compile(rb"\x1b\[\?u"), b"\x1b[?0u"),
]


class Terminal:
    def __init__(self, argv, env, folder):
        self.screen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                if not select.select([self.fd], [], [], 60)[0]:
                    continue
                data = os.read(self.fd, 65536)
            except (OSError, ValueError):
                return
            if not data:
                return
            self.screen = (self.screen + data)[-400_000:]
            for question, answer in ANSWERS:
                for _ in question.finditer(data):
                    self.type(answer)

    def type(self, data):
        try:
            os.write(self.fd, data)
        except OSError:
            pass

    def text(self):
        """What was written, without the commands between it."""
        plain = re.sub(rb"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[=>()][0-9A-B]?", b"", self.screen)
        return plain.decode(errors="replace")

    def close(self):
        try:
            os.killpg(os.getpgid(self.pid), signal.SIGKILL)
        except OSError:
            pass
        try:
            os.close(self.fd)
            os.waitpid(self.pid, 0)
        except OSError:
            pass


def until(fact, seconds):
    """Waits for a fact that announces itself to nobody."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fact():
            return True
        time.sleep(0.1)
    return bool(fact())
