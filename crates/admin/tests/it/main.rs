//! One binary for everything that is tested from outside the crate.

#[cfg(test)]
mod api;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod reasons;

/// Compares with a file that is kept for review; `UPDATE=1` rewrites it.
#[cfg(test)]
#[track_caller]
fn golden(path: &std::path::Path, found: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, found).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == found,
        "`{}` is not what the code says; `UPDATE=1` rewrites it",
        path.display()
    );
}
