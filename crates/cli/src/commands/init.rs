//! `narthex init`: a first configuration from a sample token, or from the address of an identity provider.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use narthex_config::{Environment, Paint};
use narthex_proposal::first_file::{FirstFile, KeySource};
use narthex_token::{Limits, parse};

use super::input::{token_or_stdin, usage_error};
use super::{Answer, print, tell};
use crate::args::InitArgs;

/// Last line of a configuration file that is whole.
const END: &str = "# narthex: end";

/// Proposes, checks the proposal, and writes it.
pub(super) fn run(args: InitArgs) -> anyhow::Result<Answer> {
    let path = args.config.path.clone();
    let begun = existing(&path)?;
    let (proposal, upstream) = propose(args)?;
    let text = format!("{begun}{}\n{END}\n", proposal.render(&upstream));
    let reading = narthex_config::read_text(&path.to_string_lossy(), text.clone(), &Environment::of_process(&path));
    if !reading.is_usable() || reading.warnings() > 0 {
        tell(&reading.report(Paint::of_stderr()));
    }
    if !reading.is_usable() {
        anyhow::bail!("the proposal cannot be used, so nothing was written; correct what is named above");
    }
    write(&path, &text)?;
    print(&summary(&path, &proposal))?;
    Ok(Answer::Yes)
}

/// Text of a file that init may complete, without its last line; empty if there is no file.
fn existing(path: &Path) -> anyhow::Result<String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error).with_context(|| format!("while reading `{}`", path.display())),
    };
    let table = text.parse::<toml::Table>().with_context(|| {
        format!(
            "`{}` is no TOML; see `narthex config check`, or name another file with `--config`",
            path.display()
        )
    })?;
    if table.contains_key("issuer") || table.contains_key("route") {
        anyhow::bail!(
            "`{}` has an issuer or a route already, and init adds the first ones; edit it, or name another file with \
             `--config`",
            path.display()
        );
    }
    let begun = text.trim_end();
    Ok(format!("{}\n\n", begun.strip_suffix(END).unwrap_or(begun).trim_end()))
}

/// The proposal and the upstream: from the command line, and from the terminal what is missing there.
fn propose(args: InitArgs) -> anyhow::Result<(FirstFile, String)> {
    let token = match (args.token, &args.issuer) {
        (Some(token), _) => Some(token),
        (None, Some(_)) => None,
        (None, None) => Some(ask("Sample token of your identity provider", "a token or `--issuer`")?),
    };
    let keys = match (args.jwks_url, args.jwks_file, args.secret_file) {
        (Some(url), _, _) => KeySource::Url(url),
        (_, Some(file), _) => KeySource::File(absolute(&file)?),
        (_, _, Some(file)) => KeySource::Secret(absolute(&file)?),
        (None, None, None) => KeySource::Discovery,
    };
    let mut proposal = match (token, args.issuer) {
        (Some(token), _) => of_token(token, keys)?,
        (None, issuer) => FirstFile::of_address(issuer.unwrap_or_default(), keys),
    };
    proposal.name = args.name;
    if let Some(audience) = args.audience {
        proposal.set_audience(audience);
    }
    let upstream = match args.upstream {
        Some(upstream) => upstream,
        None => ask(
            "Address of your application, such as http://127.0.0.1:9000",
            "`--upstream`",
        )?,
    };
    Ok((proposal, upstream))
}

fn of_token(token: String, keys: KeySource) -> anyhow::Result<FirstFile> {
    let token = token_or_stdin(token)?;
    let parsed = parse(&token, &Limits::default()).map_err(|error| {
        usage_error(format!(
            "this is no JWT: {error}; some providers issue opaque access tokens unless an audience is asked for, so try \
             the ID token"
        ))
    })?;
    let sample = parsed.into_unverified();
    FirstFile::of_sample(sample.header(), sample.claims(), keys).map_err(usage_error)
}

/// Absolute spelling of a path, because paths in a configuration start at its directory.
fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("`{}` has no absolute spelling", path.display()))?;
    Ok(path.display().to_string())
}

/// Asks at a terminal; without one, the command line lacks `option`.
fn ask(question: &str, option: &str) -> anyhow::Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(usage_error(format!(
            "{option} is missing, and there is no terminal to ask at"
        )));
    }
    let mut out = io::stderr().lock();
    write!(out, "{question}: ")?;
    out.flush()?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    match line.trim() {
        "" => Err(usage_error(format!("no answer; {option} is needed"))),
        answer => Ok(answer.to_owned()),
    }
}

/// Replaces the file whole: a server that runs with it never reads half of it.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let doing = || format!("while writing `{}`", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)?;
    let permissions = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions(),
        // The service's user reads it, and it holds no secret.
        Err(_) => std::fs::Permissions::from_mode(0o644),
    };
    std::fs::set_permissions(file.path(), permissions).with_context(doing)?;
    file.persist(path).with_context(doing)?;
    Ok(())
}

/// The outcome, with the next commands. It names claims and holds no value of one.
fn summary(path: &Path, proposal: &FirstFile) -> String {
    let path = path.display();
    let mut text = format!("wrote {path}\n\n");
    for line in proposal.describe() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&format!(
        "\nNext:\n  narthex explain \"$TOKEN\" --request \"GET /\" --config {path}\n  narthex serve --config {path}\n"
    ));
    text
}
