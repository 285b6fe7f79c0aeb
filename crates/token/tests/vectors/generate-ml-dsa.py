"""Makes the keys, key set and tokens of ML-DSA (RFC 9964) with the implementation of OpenSSL, through `cryptography`."""

import base64
import hashlib
import json
import pathlib

import cryptography
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

HERE = pathlib.Path(__file__).parent
ISSUED_AT = 1_700_000_000
CLAIMS = {
    "iss": "https://issuer.example",
    "aud": "https://api.example",
    "sub": "vector",
    "iat": ISSUED_AT,
    "nbf": ISSUED_AT,
    "exp": ISSUED_AT + 3600,
    "name": "Zoë \"Quote\" \\ 名前",
    "groups": ["a", "b"],
}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


keys = []
for size, kind in [(44, mldsa.MLDSA44PrivateKey), (65, mldsa.MLDSA65PrivateKey), (87, mldsa.MLDSA87PrivateKey)]:
    # The test keys are public, so a seed that can be written down does no harm.
    key = kind.from_seed_bytes(bytes([size]) * 32)
    public = key.public_key()
    jwk = {"kty": "AKP", "alg": f"ML-DSA-{size}", "pub": b64(public.public_bytes_raw())}
    thumbprint = b64(hashlib.sha256(compact(jwk)).digest())
    signing_input = b64(compact({"alg": jwk["alg"], "kid": thumbprint})) + "." + b64(compact(CLAIMS))
    keys.append({
        "jwk": jwk | {"kid": thumbprint},
        "token": signing_input + "." + b64(key.sign(signing_input.encode())),
        "private_pem": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
        "public_pem": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
    })
out = {
    "warning": "test keys, public, never to be trusted",
    "generator": f"cryptography {cryptography.__version__}",
    "claims": CLAIMS,
    "vectors": keys,
}
(HERE / "ml-dsa.json").write_text(json.dumps(out, indent=1) + "\n")
