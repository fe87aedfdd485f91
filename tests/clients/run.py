#!/usr/bin/env python3
"""Real clients against ipcd, offline: see docs/clients.md. Called by run.sh, inside a network of its own."""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from models import Models
from terminal import Terminal, until

PACKAGES = pathlib.Path(os.environ["IPCD_CLIENTS"])
IPCD = pathlib.Path(os.environ["IPCD"]).resolve()
BIN = PACKAGES / "node_modules/.bin"
HERE = pathlib.Path(__file__).resolve().parent
PLUGINS = HERE.parent.parent / "contrib/plugins"
TIMEOUT_S = 120
# A client draws its screen and starts its servers in this time, and says to nobody that it is done.
SETTLE_S = 8
# A wake takes a second or two; a busy machine with a client that starts is slow.
WAKE_S = 120


def loopback_up():
    """In a fresh network there is only `lo`, and it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, 0x8913, request))[1]
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        sys.exit(f"this network is not empty: {names}; start run.sh")


def own_run():
    """A /run of our own, with the folder that a login session has."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    runtime = pathlib.Path(f"/run/user/{os.getuid()}")
    runtime.mkdir(parents=True)
    runtime.chmod(0o700)
    return runtime


class Home:
    """A fresh home: five clients, a project, and a model that listens on the loopback."""

    def __init__(self, models):
        self.models = models
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="home-", dir=PACKAGES))
        self.work = self.path / "work"
        self.work.mkdir()
        self.runtime = pathlib.Path(f"/run/user/{os.getuid()}")
        path = f"{IPCD.parent}:{BIN}:/usr/local/bin:/usr/bin:/bin"
        self.env = {
            "HOME": str(self.path), "PATH": path, "LANG": "C.UTF-8", "TERM": "xterm-256color",
            "XDG_RUNTIME_DIR": str(self.runtime), "SHELL": "/bin/sh", "NO_COLOR": "1",
            "ANTHROPIC_BASE_URL": models.url, "ANTHROPIC_API_KEY": "dummy", "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "MOCK_KEY": "dummy",
            "GOOGLE_GEMINI_BASE_URL": models.url, "GEMINI_API_KEY": "dummy",
            "COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_BASE_URL": f"{models.url}/v1", "COPILOT_MODEL": "mock",
            "COPILOT_PROVIDER_API_KEY": "dummy", "COPILOT_ALLOW_ALL": "true", "COPILOT_AUTO_UPDATE": "false",
            "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1",
        }
        self.write(".codex/config.toml", CODEX.format(url=models.url))
        self.write(".gemini/settings.json", json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
        trusted = [self.work, PLUGINS / "gemini"]
        self.write(".gemini/trustedFolders.json", json.dumps({str(f): "TRUST_FOLDER" for f in trusted}))
        self.write(".config/opencode/opencode.json", json.dumps(opencode(models.url)))

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(self, *argv, env=None):
        """Runs a command to its end; what it printed on both outputs."""
        whole = self.env | (env or {})
        process = subprocess.Popen(argv, cwd=self.work, env=whole, stdin=subprocess.DEVNULL, start_new_session=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            out, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            out += f"\n(ended after {TIMEOUT_S} s)"
        return out

    def ipcd(self, *argv):
        return self.run(str(IPCD), *argv)

    def files(self):
        return {str(f.relative_to(self.path)): f.read_bytes() for f in self.path.rglob("*") if f.is_file()}

    def close(self):
        self.ipcd("stop")
        shutil.rmtree(self.path, ignore_errors=True)


CODEX = """# mine
model = "m"
model_provider = "mock"

[model_providers.mock]
name = "mock"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "MOCK_KEY"
"""


def opencode(url):
    options = {"baseURL": f"{url}/v1", "apiKey": "dummy"}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "mock", "options": options,
                "models": {"m": {"name": "m", "tool_call": True}}}
    return {"$schema": "https://opencode.ai/config.json", "model": "mock/m", "permission": "allow",
            "autoupdate": False, "provider": {"mock": provider}}


# word, program, arguments before a prompt, how its model is shown a tool, how it lists servers
CLIENTS = [
    ("claude", ["claude", "-p", "--allowedTools", "mcp__ipcd__*", "--"], "mcp__ipcd__{}", ["claude", "mcp", "list"]),
    ("codex", ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
               "--dangerously-bypass-hook-trust"], "mcp__ipcd/{}", ["codex", "mcp", "list"]),
    ("gemini", ["gemini", "--yolo", "-m", "gemini-2.5-pro", "-p"], "mcp_ipcd_{}", ["gemini", "mcp", "list"]),
    ("copilot", ["copilot", "-p"], "ipcd-{}", ["copilot", "mcp", "list"]),
    ("opencode", ["opencode", "run"], "ipcd_{}", ["opencode", "mcp", "list"]),
]
TOOLS = ["register", "send", "broadcast", "check", "list_instances", "share_file", "share_command", "rename",
         "auto_process", "send_message", "get_messages", "watch_messages", "list_terminals"]
HOOKED = {"claude", "codex", "gemini", "copilot"}


class Report:
    def __init__(self):
        self.failed = 0

    def say(self, client, what, good, more=""):
        self.failed += not good
        print(f"{'ok   ' if good else 'WRONG'}  {client:9} {what}", flush=True)
        if not good and more:
            print("       " + more.strip()[-3000:].replace("\n", "\n       "), flush=True)


def tools_shown(body):
    """The names of the tools in one request to a model, in any of the four forms."""
    names = []
    for tool in body.get("tools") or []:
        for inner in [tool, tool.get("function") or {}, *(tool.get("tools") or []), *(tool.get("functionDeclarations") or [])]:
            names.append(inner.get("name") or "")
    return names


def try_client(home, report, word, prompt, form, listing):
    version = home.run(prompt[0], "--version").strip().splitlines()
    print(f"-- {word}: {next((line for line in version if any(c.isdigit() for c in line)), None)}", flush=True)
    listed = home.run(*listing)
    connects = word in ("claude", "gemini", "opencode")
    good = "ipcd" in listed and (not connects or "onnected" in listed) and "ailed" not in listed
    report.say(word, "mcp list has ipcd" + (", connected" if connects else ""), good, listed)

    agent, secret = f"{word}-agent", f"word-for-{word}"
    home.ipcd("send", agent, f"the password is {secret}")
    since = len(home.models.requests)
    text = f'please CALL:{form.format("register")} {{"instance_id":"{agent}"}} then '
    text += f'CALL:{form.format("check")} {{}} then '
    text += f'CALL:{form.format("send")} {{"to_id":"from-{word}","content":"hello from {word}"}}'
    said = home.run(*prompt, text)
    shown = {name for _, body in home.models.requests[since:] for name in tools_shown(body)}
    ours = {tool for tool in TOOLS for name in shown if name.endswith(tool)}
    searched = word == "claude" and home.models.shown("mcp__ipcd__broadcast", since)
    report.say(word, f"its model is offered {len(ours)} tools", len(ours) == len(TOOLS) or searched, said + str(sorted(shown)))
    report.say(word, "it checks: its model reads the message", home.models.shown(secret, since), said)
    sent = home.ipcd("status", "--json")
    report.say(word, "it sends: the message waits for its recipient", f'"from-{word}"' in sent, said + sent)
    if word in HOOKED:
        home.ipcd("send", agent, "one more")
        since = len(home.models.requests)
        env = {"IPCD_NAME": agent}
        said = home.run(*prompt, "hello", env=env)
        told = home.models.shown("message waits for you", since) or home.models.shown("messages wait for you", since)
        report.say(word, "its hook tells it of mail", told, said)


def install_and_undo(home, report):
    before = home.files()
    said = home.ipcd("install")
    found = [name for name in ("Claude Code", "Codex", "Gemini CLI", "Copilot CLI", "opencode") if name in said]
    report.say("install", f"finds {', '.join(found)}", len(found) == 5, said)
    installed = home.files()
    again = home.ipcd("install")
    report.say("install", "a second time changes nothing", "Nothing to do" in again and home.files() == installed, again)
    home.ipcd("uninstall")
    report.say("uninstall", "leaves every file as it was, and no other", home.files() == before)
    home.ipcd("install")


def try_clients(report, models, wanted):
    home = Home(models)
    try:
        install_and_undo(home, report)
        for word, *how in CLIENTS:
            if word in wanted:
                try_client(home, report, word, *how)
        doctor = home.ipcd("doctor")
        report.say("doctor", "finds nothing wrong", "All works" in doctor or "All is well" in doctor, doctor)
        home.ipcd("uninstall")
        for word, *_, listing in CLIENTS:
            if word in wanted:
                listed = home.run(*listing)
                gone = "ipcd" not in listed.replace(str(home.path), "").replace(str(home.runtime), "")
                report.say(word, "after uninstall its list has no ipcd", gone, listed)
    finally:
        home.close()


def try_plugins(report, models):
    """The plugin folder instead of `ipcd install`."""
    home = Home(models)
    try:
        for word, *steps in [
            ("claude", ["claude", "plugin", "marketplace", "add", str(PLUGINS)], ["claude", "plugin", "install", "ipcd@ipcd"]),
            ("codex", ["codex", "plugin", "marketplace", "add", str(PLUGINS)], ["codex", "plugin", "add", "ipcd@ipcd"]),
            ("copilot", ["copilot", "plugin", "marketplace", "add", str(PLUGINS)], ["copilot", "plugin", "install", "ipcd@ipcd"]),
            ("gemini", ["gemini", "extensions", "install", str(PLUGINS / "gemini"), "--consent"]),
        ]:
            said = "".join(home.run(*step) for step in steps)
            prompt = next(prompt for name, prompt, *_ in CLIENTS if name == word)
            if word == "claude":
                prompt = ["claude", "-p", "--allowedTools", "mcp__plugin_ipcd_ipcd__*", "--"]
            # Codex gives its servers nothing of the environment: there the name is that of the folder.
            agent, since = "work" if word == "codex" else f"{word}-plugged", len(models.requests)
            home.ipcd("send", agent, "hello")
            said += home.run(*prompt, "hello", env={"IPCD_NAME": agent})
            shown = {name for _, body in models.requests[since:] for name in tools_shown(body)}
            ours = {tool for tool in TOOLS for name in shown if name.endswith(tool)}
            good = len(ours) == len(TOOLS) or models.shown("plugin_ipcd_ipcd__broadcast", since)
            report.say(word, "the plugin: its model is offered the tools", good, said + str(sorted(shown)))
            told = models.shown("message waits for you", since)
            report.say(word, "the plugin: its hook tells of mail", told, said)
            skill = models.shown("ask, answer, wait, hand over", since) or models.shown("Working with other agents", since)
            report.say(word, "the plugin: its model is told of the skill", skill, said)
    finally:
        home.close()


# How each client starts in a terminal, and by what means it is woken then. The second Claude Code takes no messages
# from programs, so that its hook has to wake it.
CLAUDE = ["claude", "--allowedTools", "mcp__ipcd__*"]
IDLE = [
    ("claude", "inbox-socket", CLAUDE, {}),
    ("claude", "rewake-hook", CLAUDE, {"crossSessionInbound": "refuse"}),
    ("codex", "codex-queue", ["codex", "--dangerously-bypass-approvals-and-sandbox", "--dangerously-bypass-hook-trust"], {}),
    ("copilot", "copilot-extension", ["copilot", "--experimental", "--allow-all-tools"], {}),
    ("opencode", "opencode-prompt", ["opencode"], {}),
]


def known_user(home, folder, settings):
    """What clients ask a user at their first start, answered, and what they fetch then, fetched."""
    file = home.path / ".claude.json"
    known = json.loads(file.read_text())
    known |= {"hasCompletedOnboarding": True, "theme": "dark"}
    known["customApiKeyResponses"] = {"approved": ["dummy"], "rejected": []}
    known.setdefault("projects", {})[str(folder)] = {"hasTrustDialogAccepted": True}
    file.write_text(json.dumps(known))
    file = home.path / ".claude/settings.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    codex = home.path / ".codex/config.toml"
    codex.write_text(codex.read_text() + f'\n[projects."{folder}"]\ntrust_level = "trusted"\n')
    home.write(".copilot/config.json", json.dumps({"trusted_folders": [str(folder)]}))
    # opencode loads no plugin before it has this package: it would fetch it itself, were there a network.
    modules = home.path / ".config/opencode/node_modules"
    modules.mkdir()
    (modules / "@opencode-ai").symlink_to(PACKAGES / "node_modules/@opencode-ai")
    needs = {"@opencode-ai/plugin": json.loads((modules / "@opencode-ai/plugin/package.json").read_text())["version"]}
    home.write(".config/opencode/package.json", json.dumps({"dependencies": needs}))
    lock = {"lockfileVersion": 3, "packages": {"": {"dependencies": needs}}}
    home.write(".config/opencode/package-lock.json", json.dumps(lock))


def try_idle(report, models, wanted):
    """Clients that sit idle in a terminal: does a message start a turn?"""
    for word, means, argv, settings in IDLE:
        if wanted and word not in wanted:
            continue
        home = Home(models)
        folder = home.path / f"{word}-idle"
        folder.mkdir()
        home.ipcd("install")
        known_user(home, folder, settings)
        try:
            if settings:
                # The hook that waits must not keep a session from ending.
                said = home.run("claude", "-p", "hello")
                ends = "mock answer" in said and "ended after" not in said
                report.say(word, "without a terminal it ends as soon as it has answered", ends, said)
            wake(report, models, home, (word, means), Terminal(argv, home.env, str(folder)))
        finally:
            home.close()


def wake(report, models, home, how, terminal):
    word, means = how
    name = f"{word}-idle"
    form = next(form for client, _, form, _ in CLIENTS if client == word)
    # Codex says which conversation it is with its first call.
    first = f"hello there CALL:{form.format('list_instances')} {{}}"
    waits = "message waits for you; call check"
    try:
        instances = lambda: json.loads(home.ipcd("list", "--json"))["instances"]
        there = until(lambda: any(i["name"] == name for i in instances()), 90)
        # The first turn: after it the client is idle, with everything started.
        time.sleep(SETTLE_S)
        since = len(models.requests)
        terminal.type(first.encode())
        time.sleep(1)
        terminal.type(b"\r")
        began = until(lambda: models.shown("hello there", since), 60)
        there &= until(lambda: any(i["name"] == name and i["wakes"] == means for i in instances()), 60)
        time.sleep(SETTLE_S)
        since = len(models.requests)
        said = home.ipcd("send", name, "kumquats")
        begun = time.monotonic()
        woken = until(lambda: models.shown(waits, since), WAKE_S)
        took = time.monotonic() - begun
        what = f"idle in a terminal, a message starts a turn ({means}; its model asked after {took:.1f} s)"
        report.say(word, what, began and there and woken, said + home.ipcd("list") + terminal.text()[-1500:])
        report.say(word, "what wakes it holds nothing of the message", woken and not models.shown("kumquats", since))
        time.sleep(SETTLE_S)
        # A conversation is shown again with each request; within one it counts.
        rings = max((json.dumps(body).count(waits) for _, body in models.requests[since:]), default=0)
        report.say(word, "it is told once", rings == 1, f"{rings} times\n" + terminal.text()[-1500:])
    finally:
        terminal.close()


def try_tools(report, models):
    """The MCP Inspector in its strict mode, and the SDKs' clients."""
    home = Home(models)
    try:
        for era in ("legacy", "auto", "modern"):
            listing = ["mcp-inspector", "--cli", str(IPCD), "mcp", "--method", "tools/list", "--strict", "-q", "--format", "json"]
            said = home.run("sh", "-c", f'"$@" --protocol-era {era} >/dev/null; echo "code $?"', "sh", *listing)
            report.say("inspector", f"--strict has no complaint ({era})", said.strip() == "code 0", said)
        python = PACKAGES / "python/bin/python"
        modes = ("legacy", "auto", "2026-07-28")
        said = home.run(str(python), str(HERE / "sdk.py"), str(IPCD), *modes)
        report.say("sdk", f"Python SDK: {' and '.join(modes)}", said.count("sent, checked, refused") == len(modes), said)
        script = PACKAGES / "sdk.mjs"
        shutil.copy(HERE / "sdk.mjs", script)
        said = home.run("node", str(script), str(IPCD))
        report.say("sdk", "TypeScript SDK: both generations", said.count("sent, checked, refused") == 2, said)
    finally:
        home.close()


def main():
    loopback_up()
    own_run()
    clients = [word for word, *_ in CLIENTS]
    wanted = sys.argv[1:] or [*clients, "plugins", "tools", "idle"]
    report, models = Report(), Models()
    if set(wanted) & set(clients) and ("idle" not in wanted or not sys.argv[1:]):
        try_clients(report, models, wanted)
    if "plugins" in wanted:
        try_plugins(report, models)
    if "idle" in wanted:
        try_idle(report, models, set(wanted) & set(clients) if sys.argv[1:] else set())
    if "tools" in wanted:
        try_tools(report, models)
    print(f"{report.failed} wrong" if report.failed else "all as it should be")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
