//! Fills a new directory with very many users. `cargo xtask generate` runs it; see CONTRIBUTING.md.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for developers")]

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use narthex_store::population::Population;
use narthex_store::{Options, PostgresOptions};

const USAGE: &str = "\
usage: cargo xtask generate URL|FILE [--users N] [--organizations N] [--tags N]

  URL              a PostgreSQL database that holds nobody yet: postgres://user@host/database
  FILE             a new SQLite file
  --users          1000000 unless said otherwise, each with two grants and three audit events
  --organizations  100000
  --tags           300000, dealt out to the organizations in turn
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || arguments.iter().any(|argument| argument == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match read(&arguments).and_then(|(place, population)| fill(&place, population)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("populate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Result<(String, Population)> {
    let mut population = Population {
        users: 1_000_000,
        organizations: 100_000,
        tags: 300_000,
    };
    let mut place = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let count = match word.as_str() {
            "--users" => &mut population.users,
            "--organizations" => &mut population.organizations,
            "--tags" => &mut population.tags,
            option if option.starts_with('-') => bail!("there is no option `{option}`\n\n{USAGE}"),
            _ if place.is_some() => bail!("`{word}` is one place too many\n\n{USAGE}"),
            _ => {
                place = Some(word.clone());
                continue;
            }
        };
        let number = words.next().with_context(|| format!("`{word}` needs a number"))?;
        *count = number
            .parse()
            .with_context(|| format!("`{word}` needs a number, not `{number}`"))?;
    }
    Ok((place.with_context(|| format!("where to?\n\n{USAGE}"))?, population))
}

fn fill(place: &str, population: Population) -> Result<()> {
    let whole = population.users + population.organizations;
    let mut told = 0;
    let mut progress = move |done: u64| {
        if done * 20 / whole.max(1) > told {
            told = done * 20 / whole.max(1);
            println!("{:3} %  {done} of {whole} users and organizations", told * 5);
        }
    };
    if place.starts_with("postgres:") || place.starts_with("postgresql:") {
        let options = PostgresOptions::parse(place)?;
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(narthex_store::population::fill_postgres(
            population,
            &options,
            &mut progress,
        ))?;
    } else {
        narthex_store::population::fill_sqlite(population, &Options::new(place), &mut progress)?;
    }
    println!("done");
    Ok(())
}
