"""The Python SDK's client against `ipcd mcp`, in both protocol eras. Argument: the program."""

import asyncio
import sys

from mcp import Client, StdioServerParameters


async def talk(mode):
    server = StdioServerParameters(command=sys.argv[1], args=["mcp", "--name", f"python-{mode}"[:32]])
    async with Client(server, mode=mode) as client:
        tools = await client.list_tools()
        assert len(tools.tools) == 13, tools
        me = f"sdk-{mode}"
        await client.call_tool("register", {"instance_id": me})
        sent = await client.call_tool("send", {"to_id": me, "content": "to myself"})
        assert not sent.is_error and sent.structured_content["stored"] is True, sent
        mail = await client.call_tool("check", {})
        assert mail.structured_content["messages"][0]["content"] == "to myself", mail
        refused = await client.call_tool("send", {"to_id": "not a name", "content": "x"})
        assert refused.is_error, refused
        inbox = await client.list_resources()
        assert inbox.resources, inbox
        print(f"{mode}: 13 tools, sent, checked, refused, {len(inbox.resources)} resources")


for mode in sys.argv[2:]:
    asyncio.run(talk(mode))
