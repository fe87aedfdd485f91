"""A loopback stand-in for the model APIs of five clients, so that real clients run without an account.

A prompt that holds  CALL:<tool> {json}  once or more makes the "model" call those tools, one after the other;
any other prompt gets a fixed answer. Every request is kept, so that a test can see what a model was shown.
"""

import http.server
import json
import threading


def calls(text):
    """The tool calls that a prompt asks for: (tool, arguments)."""
    found = []
    for piece in text.split("CALL:")[1:]:
        name, _, rest = piece.partition(" ")
        # One client quotes its arguments once more.
        for candidate in (rest, rest.replace('\\"', '"')):
            try:
                found.append((name, json.JSONDecoder().raw_decode(candidate)[0]))
                break
            except ValueError:
                continue
    return found


def words(content):
    if isinstance(content, str):
        return content
    return " ".join(block.get("text", "") for block in content or [] if isinstance(block, dict))


def step(turns):
    """The next call of a conversation. `turns`: ("user", text) and ("result", ...) in their order."""
    for at in range(len(turns) - 1, -1, -1):
        kind, text = turns[at]
        if kind == "user" and "CALL:" in text:
            done = sum(1 for kind, _ in turns[at + 1 :] if kind == "result")
            wanted = calls(text)
            return wanted[done] if done < len(wanted) else None
    return None


class Models:
    """The server; `requests` has all that were made, as (path, body)."""

    def __init__(self):
        self.requests = []
        models = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.give({})

            def do_GET(self):
                self.give({"data": [], "models": []})

            def do_POST(self):
                length = int(self.headers.get("content-length", 0))
                try:
                    body = json.loads(self.rfile.read(length) or b"{}")
                except ValueError:
                    body = {}
                models.requests.append((self.path, body))
                path, number = self.path.split("?")[0], len(models.requests)
                if path.endswith("/messages"):
                    self.anthropic(body, number)
                elif path.endswith("/responses"):
                    self.openai(body, number)
                elif path.endswith("/chat/completions"):
                    self.completions(body, number)
                elif "enerateContent" in path:
                    self.gemini(body, "stream" in path)
                else:
                    self.give({"input_tokens": 5, "totalTokens": 5})

            def give(self, value):
                data = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, events, named=False, tail=b""):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for event in events:
                    head = f"event: {event['type']}\n" if named else ""
                    self.wfile.write(f"{head}data: {json.dumps(event)}\n\n".encode())
                self.wfile.write(tail)
                self.wfile.flush()
                self.close_connection = True

            def anthropic(self, body, number):
                turns = []
                for message in body.get("messages", []):
                    content = message["content"]
                    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
                    if message["role"] == "user":
                        results = [b for b in blocks if b.get("type") == "tool_result"]
                        turns += [("result", "")] * len(results)
                        text = words([b for b in blocks if b.get("type") == "text"])
                        turns += [("user", text)] if "CALL:" in text else []
                call = step(turns) if body.get("tools") else None
                text = "mock answer"
                if call:
                    block = {"type": "tool_use", "id": f"toolu_{number}", "name": call[0], "input": call[1]}
                else:
                    block = {"type": "text", "text": text}
                stop = "tool_use" if call else "end_turn"
                usage = {"input_tokens": 9, "output_tokens": 1}
                base = {"id": f"msg_{number}", "type": "message", "role": "assistant", "content": [], "usage": usage}
                base |= {"model": body.get("model", "m"), "stop_reason": None, "stop_sequence": None}
                if not body.get("stream"):
                    return self.give(base | {"content": [block], "stop_reason": stop})
                if call:
                    delta = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
                else:
                    delta = {"type": "text_delta", "text": text}
                opened = block | ({"input": {}} if call else {"text": ""})
                end = {"stop_reason": stop, "stop_sequence": None}
                return self.stream(
                    [
                        {"type": "message_start", "message": base},
                        {"type": "content_block_start", "index": 0, "content_block": opened},
                        {"type": "content_block_delta", "index": 0, "delta": delta},
                        {"type": "content_block_stop", "index": 0},
                        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5}},
                        {"type": "message_stop"},
                    ],
                    named=True,
                )

            def openai(self, body, number):
                turns = []
                for item in body.get("input") or []:
                    if item.get("type") == "message" and item.get("role") == "user":
                        turns.append(("user", words(item.get("content"))))
                    elif item.get("type") == "function_call_output":
                        turns.append(("result", ""))
                call = step(turns)
                content = [{"type": "output_text", "text": "mock answer", "annotations": []}]
                item = {"type": "message", "id": f"m_{number}", "role": "assistant", "content": content}
                if call:
                    name = call[0].split("/")
                    item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}"}
                    item |= {"name": name[-1], "arguments": json.dumps(call[1])}
                    if len(name) > 1:
                        item["namespace"] = name[0]
                usage = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
                usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
                whole = {"id": f"r_{number}", "status": "completed", "output": [item], "usage": usage}
                self.stream(
                    [
                        {"type": "response.created", "response": {"id": f"r_{number}"}},
                        {"type": "response.output_item.added", "output_index": 0, "item": item},
                        {"type": "response.output_item.done", "output_index": 0, "item": item},
                        {"type": "response.completed", "response": whole},
                    ],
                    named=True,
                )

            def completions(self, body, number):
                turns = []
                for message in body.get("messages", []):
                    if message["role"] == "user":
                        turns.append(("user", words(message["content"])))
                    elif message["role"] == "tool":
                        turns.append(("result", ""))
                call = step(turns) if body.get("tools") else None
                delta = {"role": "assistant", "content": "mock answer"}
                if call:
                    function = {"name": call[0], "arguments": json.dumps(call[1])}
                    entry = {"index": 0, "id": f"call_{number}", "type": "function", "function": function}
                    delta = {"role": "assistant", "tool_calls": [entry]}
                base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
                usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
                reason = "tool_calls" if call else "stop"
                first = base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
                last = base | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}
                self.stream([first, last], tail=b"data: [DONE]\n\n")

            def gemini(self, body, streamed):
                turns = []
                for content in body.get("contents") or []:
                    parts = content.get("parts", [])
                    turns += [("result", "")] * sum("functionResponse" in part for part in parts)
                    text = words(parts)
                    if content.get("role", "user") == "user" and "CALL:" in text:
                        turns.append(("user", text))
                config = body.get("generationConfig", {})
                call = step(turns)
                part = {"text": "mock answer"}
                if config.get("responseMimeType") == "application/json":
                    part = {"text": json.dumps({"reasoning": "x", "model_choice": "flash", "next_speaker": "user",
                                                "complexity_reasoning": "x", "complexity_score": 1})}
                elif call:
                    part = {"functionCall": {"name": call[0], "args": call[1]}}
                usage = {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10}
                candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
                whole = {"candidates": [candidate], "usageMetadata": usage}
                self.stream([whole]) if streamed else self.give(whole)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def shown(self, text, since=0):
        """Whether any request since `since` held this text."""
        return any(text in json.dumps(body) for _, body in self.requests[since:])
