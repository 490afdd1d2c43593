"""Read the short forms of the specification: ports, volumes, devices, commands, paths.

Sources of the rules: compose-go v2.9.1 `format/volume.go`, `transform/*.go`; docker/go-connections v0.6.0 `nat`;
mattn/go-shellwords v1.0.12.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from functools import lru_cache
from typing import Any

from engine.compose.report import Refusal

_PROTOCOLS = frozenset(("tcp", "udp", "sctp"))
_MAX_SHORT_FORM = 4096
_PORT_NUMBER = re.compile(r"[0-9]+")
_PROPAGATIONS = frozenset(("rprivate", "private", "rshared", "shared", "rslave", "slave"))
_SELINUX = frozenset(("z", "Z"))


def clean_path(path: str) -> str:
    """Shorten a path as Go's path.Clean does."""
    if not path:
        return "."
    clean = posixpath.normpath(path)
    return clean[1:] if clean.startswith("//") else clean


# --- ports -------------------------------------------------------------------------------------------------------


def is_ip_address(text: str) -> bool:
    """Tell whether Go's net.ParseIP accepts the text: no leading zeros, no zone."""
    if "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(text: str, spec: str, what: str) -> tuple[int, int]:
    first, dash, rest = text.partition("-")
    last = rest.partition("-")[0] if dash else first
    if not _PORT_NUMBER.fullmatch(first) or not _PORT_NUMBER.fullmatch(last):
        raise _bad_port(spec, f"the {what} `{text}` is neither a number nor a range")
    start, end = int(first), int(last)
    if start > 65535 or end > 65535:
        raise _bad_port(spec, f"the {what} `{text}` is above 65535")
    if end < start:
        raise _bad_port(spec, f"the {what} `{text}` ends before it starts")
    return start, end


def _bad_port(spec: str, why: str) -> Refusal:
    shown = spec if len(spec) <= 60 else spec[:57] + "..."
    return Refusal(
        "compose.value.port",
        f"The port `{shown}` cannot be read: {why} - write it like `8080:80`, `127.0.0.1:8080:80/udp` or"
        " `3000-3005:3000-3005`.",
    )


@lru_cache(maxsize=8192)
def port_count(spec: str) -> int:
    """Tell how many ports a short form stands for, without building them."""
    return len(_port_range(spec))


@lru_cache(maxsize=8192)
def _port_parts(spec: str) -> tuple[str, str, int, int, int | None, int | None]:
    if len(spec) > _MAX_SHORT_FORM:
        raise _bad_port(spec, "it is too long")
    host, _, container = spec.rpartition(":")
    ip, _, published = host.rpartition(":")
    number, _, protocol = container.partition("/")
    if not number:
        raise _bad_port(spec, "the port of the container is missing")
    protocol = (protocol or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise _bad_port(spec, f"the protocol `{protocol}` is none of tcp, udp, sctp")
    if ip.startswith("["):
        inside, bracket, after = ip[1:].partition("]")
        if not bracket or after:
            raise _bad_port(spec, f"the address `{ip}` has no matching brackets")
        ip = inside
    if ip and not is_ip_address(ip):
        raise _bad_port(spec, f"`{ip}` is not an IP address")
    start, end = _port(number, spec, "container port")
    host_start = host_end = None
    if published:
        host_start, host_end = _port(published, spec, "host port")
        if end != start and end - start != host_end - host_start:
            raise _bad_port(spec, "the two ranges differ in length")
    return ip, protocol, start, end, host_start, host_end


def _port_range(spec: str) -> range:
    _, _, start, end, _, _ = _port_parts(spec)
    return range(start, end + 1)


@lru_cache(maxsize=8192)
def _single_port(spec: str) -> dict[str, Any]:
    return _expand_port(spec)[0]


def parse_port(spec: str) -> list[dict[str, Any]]:
    """Give the long forms of a short port, in the reference's order (by container port, as text)."""
    if port_count(spec) == 1:
        return [_single_port(spec).copy()]
    return _expand_port(spec)


def _expand_port(spec: str) -> list[dict[str, Any]]:
    ip, protocol, start, end, host_start, host_end = _port_parts(spec)
    ports = []
    for offset in range(end - start + 1):
        port: dict[str, Any] = {"mode": "ingress"}
        if ip:
            port["host_ip"] = ip
        if start + offset:
            port["target"] = start + offset
        if host_start is not None:
            published = str(host_start + offset)
            if start == end and host_end != host_start:
                published += f"-{host_end}"
            port["published"] = published
        port["protocol"] = protocol
        ports.append(port)
    ports.sort(key=lambda port: f"{port.get('target', 0)}/{protocol}")
    return ports


# --- volumes -----------------------------------------------------------------------------------------------------


def _is_drive(buffer: str) -> bool:
    return len(buffer) == 1 and buffer.isalpha()


def _volume_sections(spec: str) -> list[str]:
    """Split at colons, but not behind a drive letter and not inside `${…}`."""
    if "$" in spec:
        return _volume_sections_with_variables(spec)
    sections: list[str] = []
    drive = ""
    for part in spec.split(":"):
        if drive:
            sections.append(f"{drive}:{part}")
            drive = ""
        elif _is_drive(part):
            drive = part
        else:
            sections.append(part)
    if drive:
        sections.append(drive)
    return sections


def _volume_sections_with_variables(spec: str) -> list[str]:
    sections: list[str] = []
    buffer = ""
    braces = 0
    for index, character in enumerate(spec):
        if character == "$" and spec[index + 1 : index + 2] == "{":
            braces += 1
        elif character == "}" and braces:
            braces -= 1
        elif character == ":" and not braces and not _is_drive(buffer):
            sections.append(buffer)
            buffer = ""
            continue
        buffer += character
    if braces:  # the reference forgets what stands behind an open `${`
        return [*sections, "", ""] if len(sections) > 2 else sections
    sections.append(buffer)
    return sections


def _bad_volume(spec: str, why: str) -> Refusal:
    shown = spec if len(spec) <= 60 else spec[:57] + "..."
    return Refusal(
        "compose.value.volume",
        f"The volume `{shown}` cannot be read: {why} - write it like `data:/var/lib/data`, `./conf:/etc/conf:ro` or"
        " `/cache`.",
    )


@lru_cache(maxsize=8192)
def _volume(spec: str) -> dict[str, Any]:
    if not spec:
        raise _bad_volume(spec, "it is empty")
    if len(spec) > _MAX_SHORT_FORM:
        raise _bad_volume(spec, "it is too long")
    if len(spec.encode()) <= 2:
        return {"type": "volume", "target": spec}
    sections = _volume_sections(spec)
    if "" in sections:
        raise _bad_volume(spec, "there is nothing between two colons")
    if len(sections) > 3:
        raise _bad_volume(spec, "it has too many colons")
    source = target = ""
    if len(sections) == 1 and _ends(spec, sections):
        target = sections[0]
    elif sections:
        source = sections[0]
        target = sections[1] if len(sections) > 1 else ""
    volume: dict[str, Any] = {}
    bind: dict[str, Any] = {}
    read_only = no_copy = False
    for option in sections[2].split(",") if len(sections) == 3 else ():
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option == "nocopy":
            no_copy = True
        elif option in _PROPAGATIONS:
            bind["propagation"] = option
        elif option in _SELINUX:
            bind["selinux"] = option
    is_bind = is_file_path(source)
    volume["type"] = "bind" if is_bind else "volume"
    if source:
        volume["source"] = source
    if target:
        volume["target"] = target
    if read_only:
        volume["read_only"] = True
    if is_bind:
        bind["create_host_path"] = True
    if bind:
        volume["bind"] = {key: bind[key] for key in ("selinux", "propagation", "create_host_path") if key in bind}
    if no_copy:
        volume["volume"] = {"nocopy": True}
    elif not is_bind:
        volume["volume"] = {}
    return volume


def _ends(spec: str, sections: list[str]) -> bool:
    return sections[0] == spec


def parse_volume(spec: str) -> dict[str, Any]:
    """Give the long form of a short volume."""
    volume = _volume(spec).copy()
    for key in ("bind", "volume"):
        if key in volume:
            volume[key] = volume[key].copy()
    if "target" in volume:
        volume["target"] = clean_path(volume["target"])
    return volume


def volume_target(spec: str) -> str:
    """Give the mount point of a short volume as it is written."""
    target = _volume(spec).get("target", "")
    assert isinstance(target, str)
    return target


def is_file_path(source: str) -> bool:
    """Tell a host path from the name of a volume; drive letters and named pipes of Windows are paths."""
    if not source:
        return False
    if source[0] in "./~" or source.startswith("\\\\"):
        return True
    return len(source) > 1 and source[1] == ":" and source[0].isalpha()


# --- devices, commands -------------------------------------------------------------------------------------------


def parse_device(spec: str) -> dict[str, Any]:
    """Give the long form of `source[:target[:permissions]]`."""
    parts = spec.split(":")
    if len(parts) > 3:
        raise Refusal(
            "compose.value.device",
            f"The device `{spec[:60]}` has too many colons - write it as a mapping with `source`, `target` and"
            " `permissions`.",
        )
    source = parts[0]
    target = parts[1] if len(parts) > 1 else ""
    return {
        "source": source,
        "target": target or source,
        "permissions": parts[2] if len(parts) > 2 else "rwm",
    }


_PLAIN_WORDS = re.compile(r"[^\\'\"`();&|<>$]*")


def split_command(line: str) -> list[str]:
    """Split a command line into words as the reference's shell-like splitter does.

    Unquoted `;`, `&`, `|`, `<` and `>` end the command: what follows is lost, as in the reference.
    """
    if _PLAIN_WORDS.fullmatch(line):
        return [word for word in re.split("[ \t\r\n]+", line) if word]
    return _Splitter(line).words()


_OPERATORS = frozenset(";&|<>")


def cut_off(line: str) -> str:
    """Give the part of a command line that `split_command` loses; raises nothing."""
    if _OPERATORS.isdisjoint(line):
        return ""
    splitter = _Splitter(line)
    try:
        splitter.words()
    except Refusal:
        return ""
    return line[splitter.end :]


class _Splitter:
    def __init__(self, line: str) -> None:
        self._line = line
        self.end = len(line)

    def words(self) -> list[str]:
        words: list[str] = []
        buffer: list[str] = []
        started = escaped = double = single = back = dollar = False
        for index, character in enumerate(self._line):
            if escaped:
                buffer.append(character)
                escaped, started = False, True
            elif character == "\\":
                if single:
                    buffer.append(character)
                else:
                    escaped = True
            elif character in " \t\r\n":
                if single or double or back or dollar:
                    buffer.append(character)
                elif started:
                    words.append("".join(buffer))
                    buffer = []
                    started = False
            else:
                if character == "`" and not (single or double or dollar):
                    back = not back
                elif character == ")" and not (single or double or back):
                    dollar = not dollar
                elif character == "(" and not (single or double or back):
                    if dollar or not buffer or buffer[-1] != "$":
                        raise _bad_command(self._line)
                    dollar = True
                    buffer.append("(")
                    continue
                elif character == '"' and not (single or dollar):
                    started = started or double
                    double = not double
                    continue
                elif character == "'" and not (double or dollar):
                    started = started or single
                    single = not single
                    continue
                elif character in _OPERATORS and not (single or double or back or dollar):
                    self.end = index
                    if character == ">" and buffer and buffer[0][0] in "0123456789":
                        started = False
                    break
                started = True
                buffer.append(character)
        if started:
            words.append("".join(buffer))
        if escaped or double or single or back or dollar:
            raise _bad_command(self._line)
        return words


def _bad_command(line: str) -> Refusal:
    shown = line if len(line) <= 60 else line[:57] + "..."
    return Refusal(
        "compose.value.command",
        f"The command `{shown}` cannot be split into words: a quote, bracket or backslash is not closed - write it as"
        " a list, one word an element.",
    )
