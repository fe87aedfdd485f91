"""The Python SDK's client against `ipcd mcp`, in both protocol eras. Argument: the program."""

import asyncio
import sys
import warnings

import anyio
from mcp import Client, MCPDeprecationWarning, StdioServerParameters

INBOX = "ipc://inbox"
# The older era's own way of subscribing is what is tried here.
warnings.simplefilter("ignore", MCPDeprecationWarning)


async def talk(mode):
    server = StdioServerParameters(command=sys.argv[1], args=["mcp", "--name", f"python-{mode}"[:32]])
    updated = anyio.Event()

    async def heard(message):
        if getattr(message, "method", None) == "notifications/resources/updated":
            updated.set()

    async with Client(server, mode=mode, message_handler=heard) as client:
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
        await waits(client, me)
        await subscribes(client, me, updated)
        print(f"{mode}: 13 tools, sent, checked, refused, waited, subscribed")


async def waits(client, me):
    """One wait is given up, and takes no message with it; one is answered."""
    with anyio.move_on_after(0.5) as gone:
        await client.call_tool("check", {"wait_seconds": 30})
    assert gone.cancelled_caught
    async with anyio.create_task_group() as both:
        both.start_soon(client.call_tool, "send", {"to_id": me, "content": "while you wait"})
        mail = await client.call_tool("check", {"wait_seconds": 30})
    assert [m["content"] for m in mail.structured_content["messages"]] == ["while you wait"], mail


async def subscribes(client, me, updated):
    """What waits is a resource, and who subscribed is told of it."""
    send = ("send", {"to_id": me, "content": "news"})
    with anyio.fail_after(10):
        if client.protocol_version < "2026":
            await client.subscribe_resource(INBOX)
            sent = await client.call_tool(*send)
            assert not sent.is_error, sent
            await updated.wait()
            await client.unsubscribe_resource(INBOX)
        else:
            async with client.listen(resource_subscriptions=[INBOX]) as events:
                await client.call_tool(*send)
                async for event in events:
                    assert event.uri == INBOX, event
                    break
    inbox = await client.read_resource(INBOX)
    assert '"news"' in inbox.contents[0].text, inbox
    # Nothing is left for the next one of this name.
    await client.call_tool("check", {})
    await client.call_tool("list_instances", {})


for mode in sys.argv[2:]:
    asyncio.run(talk(mode))
