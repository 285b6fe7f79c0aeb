//! The container image as an OCI layout, made without a container engine.
//!
//! SPEC: OCI Image Format 1.1. The image has one layer: the program, the certificate authorities and one user. The program is
//! static and brings the time zones, so nothing else is needed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    Release,
    archive::{self, Part},
    argument, empty_folder,
};
use crate::command::{output, program};

/// User and group of the image, by number: Kubernetes cannot see from a name that it is not root.
pub(super) const USER: &str = "65532";

/// Certificate authorities of this machine, which Debian's `ca-certificates` keeps.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Writes the image as one file, which `skopeo copy oci-archive:FILE docker://…` and `podman load` take.
pub(super) fn write(release: &Release, binary: &Path) -> Result<PathBuf> {
    let root = fill_root(binary)?;
    let layout = empty_folder("image")?;
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;

    let layer = layout.join("layer.tar");
    let parts = [
        Part {
            folder: &root,
            names: &["etc", "usr"],
            owner: "0",
            mode: archive::READABLE,
        },
        Part {
            folder: &root,
            names: &["tmp"],
            owner: "0",
            mode: "1777",
        },
        Part {
            folder: &root,
            names: &["var/lib/narthex"],
            owner: USER,
            mode: "0700",
        },
    ];
    archive::tar(release, &layer, &parts)?;
    let unpacked = archive::digest(&layer)?;
    let layer = blob(
        &blobs,
        &archive::gzip(&layer)?,
        "application/vnd.oci.image.layer.v1.tar+gzip",
    )?;

    let created = output(&mut program(
        "date",
        &["--utc", &format!("--date=@{}", release.epoch), "+%Y-%m-%dT%H:%M:%SZ"],
    ))?;
    let config = config(&release.version, &created, &unpacked);
    let config = document(&layout, &blobs, &config, "application/vnd.oci.image.config.v1+json")?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    });
    let mut manifest = document(&layout, &blobs, &manifest, "application/vnd.oci.image.manifest.v1+json")?;
    if let Some(members) = manifest.as_object_mut() {
        members.insert(
            "annotations".to_owned(),
            json!({ "org.opencontainers.image.ref.name": release.version }),
        );
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    });
    fs::write(layout.join("index.json"), index.to_string())?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;

    let path = release.out.join(format!("narthex-{}-image.tar", release.version));
    let part = Part {
        folder: &layout,
        names: &["blobs", "index.json", "oci-layout"],
        owner: "0",
        mode: archive::READABLE,
    };
    archive::tar(release, &path, &[part])?;
    Ok(path)
}

/// The file system of the image.
fn fill_root(binary: &Path) -> Result<PathBuf> {
    let root = empty_folder("image-root")?;
    for folder in [
        "etc/narthex",
        "etc/ssl/certs",
        "tmp",
        "usr/local/bin",
        "var/lib/narthex",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    let user =
        format!("root:x:0:0:root:/:/sbin/nologin\nnarthex:x:{USER}:{USER}:Narthex:/var/lib/narthex:/sbin/nologin\n");
    fs::write(root.join("etc/passwd"), user)?;
    fs::write(root.join("etc/group"), format!("root:x:0:\nnarthex:x:{USER}:\n"))?;
    fs::copy(AUTHORITIES, root.join("etc/ssl/certs/ca-certificates.crt"))
        .with_context(|| format!("copying {AUTHORITIES}; run `apt-get install ca-certificates`"))?;
    fs::copy(binary, root.join("usr/local/bin/narthex"))?;
    fs::set_permissions(root.join("usr/local/bin/narthex"), fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(root.join("var/lib/narthex"), fs::Permissions::from_mode(0o700))?;
    Ok(root)
}

/// The image's configuration. `unpacked` is the digest of the layer before compression.
fn config(version: &str, created: &str, unpacked: &str) -> Value {
    json!({
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "ExposedPorts": { "8080/tcp": {}, "8081/tcp": {} },
            "Env": ["PATH=/usr/local/bin", "NARTHEX_CONFIG=/etc/narthex/narthex.toml"],
            "Entrypoint": ["/usr/local/bin/narthex"],
            "Cmd": ["serve"],
            "WorkingDir": "/var/lib/narthex",
            "Labels": {
                "org.opencontainers.image.title": "narthex",
                "org.opencontainers.image.description": "JWT identity bridge",
                "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
                "org.opencontainers.image.version": version,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{unpacked}")] },
        "history": [{ "created": created, "created_by": "cargo xtask package" }],
    })
}

/// Moves a file to the blobs and returns its descriptor.
fn blob(blobs: &Path, file: &Path, kind: &str) -> Result<Value> {
    let digest = archive::digest(file)?;
    let size = fs::metadata(file)?.len();
    fs::rename(file, blobs.join(&digest)).with_context(|| format!("moving {}", argument(file)))?;
    Ok(json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": size }))
}

/// Writes a JSON document to the blobs and returns its descriptor.
fn document(layout: &Path, blobs: &Path, document: &Value, kind: &str) -> Result<Value> {
    let file = layout.join("document.json");
    fs::write(&file, document.to_string())?;
    blob(blobs, &file, kind)
}

/// Unpacks an image into an empty folder as an engine does, with every digest checked.
pub(super) fn unpack(image: &Path, into: &Path) -> Result<()> {
    let layout = empty_folder("unpacked-image")?;
    let extract = |archive: &Path, folder: &Path, option: &str| {
        crate::command::run(&mut program(
            "tar",
            &[
                option,
                "--numeric-owner",
                &format!("--file={}", argument(archive)),
                "--directory",
                &argument(folder),
            ],
        ))
    };
    extract(image, &layout, "-x")?;
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let manifest = find(&layout, index.pointer("/manifests/0"))?;
    let manifest: Value = serde_json::from_slice(&fs::read(manifest)?)?;
    find(&layout, manifest.get("config"))?;
    let layer = find(&layout, manifest.pointer("/layers/0"))?;
    extract(&layer, into, "-xz")
}

/// The blob that a descriptor names, if its digest and size are right.
fn find(layout: &Path, descriptor: Option<&Value>) -> Result<PathBuf> {
    let descriptor = descriptor.context("the image lacks a descriptor")?;
    let digest = descriptor
        .get("digest")
        .and_then(Value::as_str)
        .and_then(|text| text.strip_prefix("sha256:"));
    let digest = digest.context("a descriptor has no SHA-256 digest")?;
    let path = layout.join("blobs/sha256").join(digest);
    let size = descriptor.get("size").and_then(Value::as_u64);
    anyhow::ensure!(
        archive::digest(&path)? == digest,
        "{} has another digest",
        path.display()
    );
    anyhow::ensure!(
        size == Some(fs::metadata(&path)?.len()),
        "{} has another size",
        path.display()
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_runs_one_program_as_a_user_that_is_not_root() {
        let config = config("1.2.3", "2026-11-30T00:00:00Z", "ab");
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], json!(["/usr/local/bin/narthex"]));
        assert_eq!(config["rootfs"]["diff_ids"], json!(["sha256:ab"]));
    }

    #[test]
    fn a_blob_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = folder.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let descriptor = document(folder.path(), &blobs, &json!({"a": 1}), "text/x").unwrap();
        let path = find(folder.path(), Some(&descriptor)).unwrap();
        fs::write(path, "{\"a\":2}").unwrap();
        let error = find(folder.path(), Some(&descriptor)).unwrap_err();
        assert!(error.to_string().contains("another digest"), "{error}");
    }
}
