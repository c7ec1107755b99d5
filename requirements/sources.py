"""Where packages come from: what a person has told pip, for pip and for uv alike.

Only what says where files are, and how they are reached, is taken over. Whatever else is set (a
target folder, another interpreter, a constraint) would install something else, or elsewhere.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
"""What uv calls a setting of pip's. Variables, because an address may hold a password."""

SEVERAL = {"extra-index-url": " ", "find-links": ",", "trusted-host": " "}
"""Settings of several values, with what uv puts between them."""

PIP_ALONE = {"cache-dir", "keyring-provider", "no-index", "use-deprecated", "use-feature"}
"""Settings that are taken over and that uv has no name for."""

ASKS_PIP = PIP_ALONE - {"cache-dir"}
"""Those without which uv would not find the same: pip installs where one of them is set."""

UV_KEPT = ("UV_CACHE_DIR", "UV_CONCURRENT", "UV_HTTP_", "UV_LINK_MODE", "UV_NATIVE", "UV_SYSTEM_C")
"""How the variables of uv begin that change neither what is installed nor where."""

SECTIONS = ("global", "install", ":env:")
"""From the weakest to the strongest, as pip documents under Configuration."""


def pip_settings(listed: str) -> dict[str, str]:
    """Return the settings that `pip config list` printed and that say where packages are."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        match = re.fullmatch(r"(?P<section>.+?)\.(?P<name>[\w-]+)=(?P<value>.*)", line)
        if match is None or match["section"] not in found:
            continue  # of another command
        if match["name"] in UV_NAMES or match["name"] in PIP_ALONE:
            value = str(ast.literal_eval(match["value"]))
            found[match["section"]][match["name"]] = " ".join(value.split())
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def pip_environment(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which pip has these settings and no others."""
    kept = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    own = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in settings.items()}
    return {**kept, **own, "PIP_CONFIG_FILE": os.devnull}


def uv_environment(
    settings: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str] | None:
    """Return an environment in which uv has these settings and no others, None if it cannot.

    pip merges its indexes and takes the best version of all, which uv does when it is told.
    """
    if ASKS_PIP & settings.keys():
        return None
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("UV_") or name.startswith(UV_KEPT)
    }
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")  # pip's own
    if bundle:
        kept.setdefault("SSL_CERT_FILE", bundle)
    for name, value in settings.items():
        if name in UV_NAMES:
            kept[UV_NAMES[name]] = SEVERAL.get(name, " ").join(value.split(" "))
    return {**kept, "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_NO_CONFIG": "1"}
