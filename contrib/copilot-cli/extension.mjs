// Wakes an idle session of Copilot CLI when mail comes: `ipcd hook watch` writes a line for each wake, and
// this makes it a prompt. The line says how many messages wait, and nothing that a peer wrote.
//
// Put it into ~/.copilot/extensions/ipcd/extension.mjs. Extensions are experimental: start Copilot CLI
// once with --experimental.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { joinSession } from "@github/copilot-sdk/extension";

const session = await joinSession({});
let watcher;

const watch = () => {
  if (watcher) return;
  watcher = spawn("ipcd", ["hook", "watch", "--client", "copilot"], { stdio: ["ignore", "pipe", "ignore"] });
  // It ends when there is nobody to wake; the next idle moment begins anew.
  const over = () => (watcher = undefined);
  watcher.on("error", over).on("exit", over);
  createInterface({ input: watcher.stdout }).on("line", (prompt) => {
    Promise.resolve(session.send({ prompt })).catch(() => {});
  });
};

session.on((event) => {
  if (event.type === "session.idle") watch();
});
watch();
