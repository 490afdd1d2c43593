"""What is signed, and how it is checked: an Ed25519 signature over canonical JSON, by a key of the installation.

Of each probe the document holds what a partner may read, and a salted digest of what he may not. So one signature
covers both editions of a report, and neither can be edited, in a file or in the database, without breaking it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from apps.labels.models import Evidence, Label, Run
from apps.tenancy.keys import keyring
from engine.resources import canonical_json

FORMAT = "escale.conformance/1"
ALGORITHM = "Ed25519"
_PURPOSE = "labels"


def withheld(evidence: Evidence) -> dict[str, Any]:
    """Return the part of a probe's evidence that partners are not shown."""
    return {"message": evidence.message, "internals": evidence.internals}


def probe_entry(evidence: Evidence) -> dict[str, Any]:
    """Return a probe as the document has it."""
    return {
        "probe": evidence.probe,
        "level": evidence.level,
        "required": evidence.required,
        "left_out": evidence.left_out,
        "verdict": evidence.verdict,
        "code": evidence.code,
        "started_at": evidence.started_at.isoformat(),
        "finished_at": evidence.finished_at.isoformat(),
        "facts": evidence.facts,
        "withheld_sha256": hashlib.sha256(canonical_json(withheld(evidence)).encode()).hexdigest(),
    }


def run_entry(run: Run) -> dict[str, Any]:
    """Return a run as the document has it; what the cloud was by a digest alone."""
    return {
        "id": str(run.pk),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "state": run.state,
        "level": run.level,
        "product": run.product,
        "basis_sha256": hashlib.sha256(canonical_json(run.basis).encode()).hexdigest(),
    }


def cloud_entry(run: Run) -> dict[str, Any]:
    """Return what the document says of the cloud: nothing that can be renamed, and nothing that locates it."""
    return {"id": str(run.cloud_id), "kind": run.basis.get("kind", ""), "flavour": run.basis.get("flavour", "")}


def document(label: Label) -> dict[str, Any]:
    """Return what a label's signature covers."""
    return {
        "format": FORMAT,
        "label": {
            "id": str(label.pk),
            "name": str(label),
            "statement": label.statement,
            "signer": label.signer,
            "signed_at": label.signed_at.isoformat() if label.signed_at else None,
            "valid_until": label.valid_until.isoformat() if label.valid_until else None,
        },
        "cloud": cloud_entry(label.run),
        "run": run_entry(label.run),
        "probes": [probe_entry(evidence) for evidence in label.run.evidence.all()],
    }


def sign(signed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the signature of a document, by the newest key."""
    version = keyring().newest
    key = _private(version)
    assert key is not None
    return {
        "algorithm": ALGORITHM,
        "key": version,
        "public_key": _text(key.public_key().public_bytes_raw()),
        "value": _text(key.sign(canonical_json(signed).encode())),
    }


def holds(signed: Mapping[str, Any], signature: Mapping[str, Any]) -> bool | None:
    """Tell whether a signature is this installation's, over just this document; None when its key is gone.

    The key that a signature names beside itself is not believed: it is derived anew from the installation's own.
    """
    version = signature.get("key")
    public = public_key(version) if isinstance(version, int) and not isinstance(version, bool) else None
    if signature.get("algorithm") != ALGORITHM:
        return False
    if public is None:
        return None
    try:
        value = base64.b64decode(str(signature.get("value", "")), validate=True)
        public.verify(value, canonical_json(signed).encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def intact(label: Label) -> bool:
    """Tell whether a signed label and its evidence are as they were signed; without its key that cannot be said."""
    return holds(document(label), label.signature) is True


def public_key(version: int) -> Ed25519PublicKey | None:
    """Return the key that checks signatures of a version, or None when the keyring has it no more."""
    key = _private(version)
    return key.public_key() if key is not None else None


def public_keys() -> dict[str, str]:
    """Return the public keys by version, base64 of 32 bytes, for those who check for themselves."""
    keys = {version: public_key(version) for version in keyring().versions}
    return {str(version): _text(key.public_bytes_raw()) for version, key in keys.items() if key is not None}


def _private(version: int) -> Ed25519PrivateKey | None:
    seed = keyring().derived(version, _PURPOSE)
    return Ed25519PrivateKey.from_private_bytes(seed) if seed is not None else None


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
