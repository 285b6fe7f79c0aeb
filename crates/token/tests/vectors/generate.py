"""Makes the test keys (once), their public halves, and the tokens of PyJWT."""

import base64
import datetime
import hashlib
import json
import os
import pathlib

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

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
ALGORITHMS = {
    "HS256": "secret", "HS384": "secret", "HS512": "secret",
    "RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
    "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519",
}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pem(key, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def make_keys():
    keys = {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "rsa_other": rsa.generate_private_key(public_exponent=65537, key_size=3072),
        "rsa_1024": rsa.generate_private_key(public_exponent=65537, key_size=1024),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "p521": ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    stored = {"warning": "test keys, public, never to be trusted", "secret": b64(os.urandom(64))}
    stored |= {name: pem(key) for name, key in keys.items()}
    stored["rsa_pkcs1"] = pem(keys["rsa"], serialization.PrivateFormat.TraditionalOpenSSL)
    stored["p256_sec1"] = pem(keys["p256"], serialization.PrivateFormat.TraditionalOpenSSL)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "narthex test key")])
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(keys["rsa"].public_key()).serial_number(1)
        .not_valid_before(datetime.datetime(2023, 1, 1)).not_valid_after(datetime.datetime(2043, 1, 1))
        .sign(keys["rsa"], hashes.SHA256())
    )
    stored["certificate"] = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return stored


def public_jwk(name, key):
    public = key.public_key()
    if name.startswith("rsa"):
        return json.loads(RSAAlgorithm.to_jwk(public))
    return json.loads((OKPAlgorithm if name == "ed25519" else ECAlgorithm).to_jwk(public))


def main():
    path = HERE / "test-keys.json"
    if not path.exists():
        path.write_text(json.dumps(make_keys(), indent=1) + "\n")
    stored = json.loads(path.read_text())
    names = ["rsa", "rsa_other", "rsa_1024", "p256", "p384", "p521", "ed25519"]
    keys = {name: serialization.load_pem_private_key(stored[name].encode(), None) for name in names}
    secret = base64.urlsafe_b64decode(stored["secret"] + "==")

    certificate = x509.load_pem_x509_certificate(stored["certificate"].encode())
    der = certificate.public_bytes(serialization.Encoding.DER)
    (HERE / "certificate.pem").write_text(stored["certificate"])
    thumbprints = {"x5t": hashlib.sha1(der).digest(), "x5t#S256": hashlib.sha256(der).digest()}

    jwks = []
    for name in names:
        jwk = {"kid": name} | {m: v for m, v in public_jwk(name, keys[name]).items() if m not in ("key_ops", "use", "alg")}
        if name == "rsa":
            jwk["x5c"] = [base64.b64encode(der).decode()]
        jwks.append(jwk)
    (HERE / "jwks.json").write_text(json.dumps({"keys": jwks}, indent=1) + "\n")
    for name, form in [("spki", serialization.PublicFormat.SubjectPublicKeyInfo), ("pkcs1", serialization.PublicFormat.PKCS1)]:
        text = keys["rsa"].public_key().public_bytes(serialization.Encoding.PEM, form)
        (HERE / f"rsa.{name}.pem").write_bytes(text)

    vectors = []

    def add(case, algorithm, headers):
        key = ALGORITHMS[algorithm]
        token = jwt.encode(CLAIMS, secret if key == "secret" else keys[key], algorithm=algorithm, headers=headers)
        vectors.append({"case": case, "algorithm": algorithm, "key": key, "token": token})

    for algorithm, key in ALGORITHMS.items():
        add("kid", algorithm, {"kid": key})
        add("no_kid", algorithm, None)
        add("at+jwt", algorithm, {"kid": key, "typ": "at+JWT"})
    for member, digest in thumbprints.items():
        hexadecimal = digest.hex()
        for spelling, text in [
            ("base64url", b64(digest)),
            ("hex", hexadecimal),
            ("upper_hex", hexadecimal.upper()),
            ("base64url_of_hex", b64(hexadecimal.encode())),
            ("base64url_of_upper_hex", b64(hexadecimal.upper().encode())),
        ]:
            add(f"{member} {spelling}", "RS256", {member: text})
    out = {"generator": f"PyJWT {jwt.__version__}", "claims": CLAIMS, "vectors": vectors}
    (HERE / "pyjwt.json").write_text(json.dumps(out, indent=1) + "\n")


main()
