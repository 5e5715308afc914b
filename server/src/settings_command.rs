//! Settings from the command line, the environment and the file; what is wrong with them; and asking a server to take them anew.

use clap::{ArgMatches, Args, FromArgMatches as _};
use countersign_server::http::{Reply, Settings, SettingsError, ask};
use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

/// Where settings come from.
#[derive(Args)]
pub(crate) struct Source {
    /// TOML file with settings; a flag or an environment variable wins over it
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// Everything that is wrong, each in a line of its own.
#[derive(Debug)]
pub(crate) struct Mistakes(pub(crate) Vec<SettingsError>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\ncountersign: "))
    }
}

impl Error for Mistakes {}

/// The settings: what the flags and the environment say, over what the file says.
///
/// # Errors
/// Everything that is wrong with the file.
pub(crate) fn settings(matches: &ArgMatches) -> Result<Settings, Vec<SettingsError>> {
    let (settings, mistakes) = what_is_right(matches);
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// What of them makes sense. Flags may stand before the name of a command and after it.
fn what_is_right(matches: &ArgMatches) -> (Settings, Vec<SettingsError>) {
    let all: Vec<_> = [Some(matches), matches.subcommand().map(|(_, matches)| matches)].into_iter().flatten().collect();
    let of_file = all.iter().rev().find_map(|matches| matches.try_get_one::<PathBuf>("config").ok().flatten());
    let (mut settings, mut mistakes) = of_file.map(|path| Settings::what_is_right_in(path)).unwrap_or_default();
    for matches in all.into_iter().filter(|matches| matches.try_contains_id("listen").is_ok()) {
        // What the flags are was found when they were parsed.
        if let Err(error) = settings.update_from_arg_matches(matches) {
            mistakes.push(SettingsError::Flags(error.to_string()));
        }
    }
    mistakes.extend(settings.add_tokens_file().err().into_iter().flatten());
    (settings, mistakes)
}

/// `countersign check`.
#[allow(clippy::print_stdout)]
pub(crate) fn check(matches: &ArgMatches) -> Result<(), Box<dyn Error>> {
    let (settings, mut mistakes) = what_is_right(matches);
    match settings.check() {
        Ok(hints) if mistakes.is_empty() => {
            for hint in hints {
                println!("warning: {hint}");
            }
            println!("ok: nothing is wrong with the settings");
            Ok(())
        }
        Ok(_) => Err(Mistakes(mistakes).into()),
        Err(more) => {
            mistakes.extend(more);
            Err(Mistakes(mistakes).into())
        }
    }
}

/// `countersign reload`. The file may be wrong: it is the server that says so.
#[allow(clippy::print_stdout)]
pub(crate) fn reload(matches: &ArgMatches) -> Result<(), Box<dyn Error>> {
    let (settings, _) = what_is_right(matches);
    let path: &Path = settings.control_socket.as_deref().ok_or("reload: which --control-socket?")?;
    match ask(path).map_err(|error| format!("--control-socket {}: {error}", path.display()))? {
        Reply::Reloaded(report) => {
            println!("reloaded; {report}");
            Ok(())
        }
        Reply::Refused(mistakes) => Err(mistakes.join("\ncountersign: ").into()),
    }
}
