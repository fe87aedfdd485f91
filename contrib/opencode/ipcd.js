// Wakes an idle session of opencode when mail comes: `ipcd hook watch` writes a line for each wake, and
// this makes it a prompt. The line says how many messages wait, and nothing that a peer wrote.
//
// Put it into ~/.config/opencode/plugins/ (for you) or .opencode/plugins/ (for one project).

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export const Ipcd = async ({ client, directory }) => {
  const children = new Set();
  let session;
  let watcher;

  const watch = () => {
    if (watcher) return;
    const options = { cwd: directory, stdio: ["ignore", "pipe", "ignore"] };
    watcher = spawn("ipcd", ["hook", "watch", "--client", "opencode"], options);
    // It ends when there is nobody to wake; the next idle session begins anew.
    const over = () => (watcher = undefined);
    watcher.on("error", over).on("exit", over);
    createInterface({ input: watcher.stdout }).on("line", (text) => {
      const body = { parts: [{ type: "text", text }] };
      client.session.promptAsync({ path: { id: session }, body }).catch(() => {});
    });
  };

  return {
    event: async ({ event }) => {
      const { info, sessionID } = event.properties ?? {};
      // Subagents have sessions of their own, which nobody writes to.
      if (info?.parentID) children.add(info.id);
      if (event.type !== "session.idle" || !sessionID || children.has(sessionID)) return;
      session = sessionID;
      watch();
    },
  };
};
