// The TypeScript SDK's clients against `ipcd mcp`: the first generation (sdk) and the second (client). They check
// results against the output schemas. Argument: the program.

import assert from "node:assert";

const program = process.argv[2];

async function talk(label, Client, Transport) {
  const client = new Client({ name: `ts-${label}`, version: "1" });
  await client.connect(new Transport({ command: program, args: ["mcp"], env: process.env }));
  const { tools } = await client.listTools();
  assert.equal(tools.length, 13);
  const call = (name, args) => client.callTool({ name, arguments: args });
  await call("register", { instance_id: `ts-${label}` });
  const sent = await call("send", { to_id: `ts-${label}`, content: "to myself" });
  assert.equal(sent.structuredContent.stored, true);
  const mail = await call("check", {});
  assert.equal(mail.structuredContent.messages[0].content, "to myself");
  const refused = await call("send", { to_id: "not a name", content: "x" });
  assert.equal(refused.isError, true);
  const { resources } = await client.listResources();
  assert.ok(resources.length > 0);
  await client.close();
  console.log(`${label}: 13 tools, sent, checked, refused, ${resources.length} resources`);
}

const first = await import("@modelcontextprotocol/sdk/client/index.js");
const pipe = await import("@modelcontextprotocol/sdk/client/stdio.js");
await talk("sdk", first.Client, pipe.StdioClientTransport);
const second = await import("@modelcontextprotocol/client");
const stdio = await import("@modelcontextprotocol/client/stdio");
await talk("client", second.Client, stdio.StdioClientTransport);
