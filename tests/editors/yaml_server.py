"""A client of the YAML language server: as much of the protocol as the tests ask for.

Source: Language Server Protocol 3.17, base protocol and text document synchronisation.
"""

from __future__ import annotations

import json
import subprocess
import threading
from queue import Queue
from typing import TYPE_CHECKING, Any, Self


if TYPE_CHECKING:
    from pathlib import Path

ANSWER_TIMEOUT_S = 60


class YamlServer:
    """One running server; documents are opened as text and need not be in any file."""

    def __init__(self, program: str, root: Path, schemas: dict[str, str] | None = None) -> None:
        """`schemas` is the setting yaml.schemas: URI of a schema -> pattern of files."""
        self._root = root
        self._settings = {"yaml": {"schemas": schemas or {}, "schemaStore": {"enable": False}}}
        self._process = subprocess.Popen(
            [program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
        )
        self._answers: Queue[dict[str, Any]] = Queue()
        self._diagnostics: Queue[dict[str, Any]] = Queue()
        self._last_id = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {"hover": {"contentFormat": ["markdown"]}, "completion": {}},
        }
        root = self._root.as_uri()
        self._ask(
            "initialize", {"processId": None, "rootUri": root, "capabilities": capabilities}
        )
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self._settings})
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("shutdown", None)
        self._tell("exit", None)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.wait(timeout=ANSWER_TIMEOUT_S)
        self._process.stdin.close()
        self._process.stdout.close()

    def diagnose(self, path: Path, text: str) -> list[dict[str, Any]]:
        """What the server finds wrong with a document at that path."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while True:
            found = self._diagnostics.get(timeout=ANSWER_TIMEOUT_S)
            if found["uri"] == path.as_uri():
                listed: list[dict[str, Any]] = found["diagnostics"]
                return listed

    def complete(self, path: Path, line: int, column: int) -> dict[str, dict[str, Any]]:
        """Label -> proposal, at a place (from 0) of a document that was opened."""
        found = self._ask("textDocument/completion", _at(path, line, column))
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"]: item for item in items}

    def hover(self, path: Path, line: int, column: int) -> str:
        """The text that is shown for a place (from 0); empty for none."""
        found = self._ask("textDocument/hover", _at(path, line, column))
        return str(found["contents"]["value"]) if found else ""

    def _ask(self, method: str, parameters: Any) -> Any:
        self._last_id += 1
        self._send({"id": self._last_id, "method": method, "params": parameters})
        answer = self._answers.get(timeout=ANSWER_TIMEOUT_S)
        assert answer["id"] == self._last_id
        assert "error" not in answer, answer
        return answer["result"]

    def _tell(self, method: str, parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        size = 0
        while header := stream.readline():
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
            elif header == b"\r\n":
                self._take(json.loads(stream.read(size)))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self._answers.put(message)
        elif method == "textDocument/publishDiagnostics":
            self._diagnostics.put(message["params"])
        elif "id" in message:  # a question of the server's
            result: Any = None
            if method == "workspace/configuration":
                items = message["params"]["items"]
                result = [self._settings.get(item.get("section")) for item in items]
            self._send({"id": message["id"], "result": result})


def _at(path: Path, line: int, column: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": path.as_uri()},
        "position": {"line": line, "character": column},
    }
