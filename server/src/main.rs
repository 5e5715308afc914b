//! The command `countersign`: arguments to settings, settings to a server, signals to its end.

mod activation;
mod admin_command;
mod audit_command;
mod health_command;
mod restart;
mod settings_command;
mod token_command;

use admin_command::{AdminCommand, AdminError};
use audit_command::AuditCommand;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use countersign_server::{
    http::{
        ControlSocket, Demo, LogFilter, LogFormat, LogWriter, Notifier, Reloader, Settings, TokenEntry, Tokens,
        serve_reloading,
    },
    store::{Verified, backup, verify_backup},
};
use hyper::Uri;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use settings_command::{Mistakes, Source};
use std::{
    collections::BTreeMap,
    error::Error,
    future::pending,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    num::NonZeroUsize,
    panic,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};
use token_command::TokenCommand;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tracing_subscriber::{layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

/// How long whoever asked for a restart has to get its answer.
const RESTART_GRACE: Duration = Duration::from_millis(100);

/// How long the last lines of the log have to be written.
const LOG_GRACE: Duration = Duration::from_secs(1);

/// Asks the wallet in somebody's browser for an Ed25519 signature, and returns a verified one.
#[derive(Parser)]
#[command(name = "countersign", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Set by a demo that was told to be away for a while
    #[arg(long, env = restart::START_AFTER, value_name = "MS", hide = true)]
    start_after_ms: Option<u64>,

    #[command(flatten)]
    source: Source,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a bearer token for a requester, and the lines for the TOML file; or keeps tokens in a file of their own
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Token {
        #[command(subcommand)]
        command: Option<TokenCommand>,
        /// The name that wallets show
        name: Option<String>,
        /// The id of a requester that has a token already, and gets another [default: a new one]
        #[arg(long)]
        id: Option<String>,
        /// For an administrator in place of a requester
        #[arg(long, conflicts_with = "id")]
        admin: bool,
    },
    /// Copies what is in --data-dir, also while a server uses it; for --database-url, names the command that does so
    Backup {
        /// Directory for the copy; made where there is none, and an earlier copy is replaced
        #[arg(value_name = "DIR")]
        target: PathBuf,
        /// Make none, and look through the one that is there: whether a server could start with it, and what it has
        #[arg(long)]
        verify: bool,
    },
    /// Says everything that is wrong with the settings, without a start
    Check(Box<Source>),
    /// Has the server behind --control-socket take its settings anew, and says what came of it
    Reload(Box<Source>),
    /// Asks a server how it is: status 0 where it answers 200, and 1 otherwise
    Health {
        /// URL to ask, of its /readyz for instance [default: /healthz of --listen, on this machine]
        #[arg(value_name = "URL")]
        url: Option<Uri>,
    },
    /// Verifies an audit log, or looks something up in it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Asks a running server, or tells it what to do
    Admin(AdminCommand),
}

fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(error.to_string());
            error.downcast_ref::<AdminError>().map_or(ExitCode::FAILURE, |error| error.exit_status().into())
        }
    }
}

/// Says on standard error what went wrong, unless nobody is there to read it: a pipe that is full holds up no exit.
fn report(error: String) {
    let (done, said) = mpsc::channel();
    thread::spawn(move || {
        let _ = writeln!(io::stderr(), "countersign: {error}");
        drop(done);
    });
    // Whether it is said or the time is over, the process ends.
    let _: Result<(), _> = said.recv_timeout(LOG_GRACE);
}

fn run(matches: &ArgMatches) -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::from_arg_matches(matches)?;
    if let Some(Command::Token { command, name, id, admin }) = &arguments.command {
        return match command {
            Some(command) => command.run(),
            None => print_token(name.as_deref().ok_or("token: which name?")?, id.as_deref(), *admin),
        };
    }
    if let Some(Command::Audit(command)) = &arguments.command {
        return command.run();
    }
    if let Some(Command::Backup { target, verify: true }) = &arguments.command {
        return look_through(target);
    }
    if let Some(Command::Check(_)) = &arguments.command {
        return settings_command::check(matches);
    }
    if let Some(Command::Reload(_)) = &arguments.command {
        return settings_command::reload(matches);
    }
    thread::sleep(Duration::from_millis(arguments.start_after_ms.unwrap_or(0)));
    let settings = settings_command::settings(matches).map_err(Mistakes)?;
    if let Some(Command::Health { url }) = &arguments.command {
        return health_command::run(&settings, url.clone());
    }
    if let Some(Command::Backup { target, verify: false }) = &arguments.command {
        return back_up(&settings, target);
    }
    if let Some(Command::Admin(command)) = &arguments.command {
        return Ok(command.run(&settings)?);
    }
    let inherited = activation::inherited()?;
    let (log, set_log) = start_log(&settings)?;
    raise_descriptor_limit();
    let result = runtime()?.block_on(listen(matches.clone(), settings, inherited, (log.clone(), set_log)));
    log.flush(LOG_GRACE);
    result
}

/// For as many processors as there are; for one, without what several threads take to share their work.
fn runtime() -> io::Result<Runtime> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut builder = if processors == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

async fn listen(
    matches: ArgMatches,
    settings: Settings,
    inherited: Option<std::net::TcpListener>,
    (log, set_log): (LogWriter, impl Fn(&LogFilter) + Send + Sync + 'static),
) -> Result<(), Box<dyn Error>> {
    // Before the first line of output, so that whoever reads it may already send a signal.
    let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let hangup = signal(SignalKind::hangup())?;
    let listener_is_kept = inherited.is_some();
    let listener = match inherited {
        Some(inherited) => activation::listener(inherited, settings.listen, settings.demo.unwrap_or(false))?,
        None => bind(settings.listen()).await?,
    };
    let bound = listener.local_addr()?;
    settings.verify(bound).map_err(Mistakes)?;
    let in_files = settings;
    let of_database = in_files.read_database_tokens().map_err(Mistakes)?;
    let settings = in_files.clone().with_tokens(&of_database);
    settings.verify(bound).map_err(Mistakes)?;
    let config = settings.service(bound)?;
    let control = settings.control_socket.as_deref().map(ControlSocket::bind).transpose()?;
    let (service, mut http) = settings.assemble(bound)?;
    http.log = Some(log);
    http.listener_is_kept = listener_is_kept;
    http.notifier = notifier();
    let demo = http.demo.clone();
    if config.allow_unproven {
        tracing::warn!("introductions are accepted without proof: anybody on this machine can pose as any key");
    }
    for audience in &config.audiences {
        tracing::info!(%audience, "wallets may dial");
    }
    if bound.ip().is_unspecified() && settings.audience.is_empty() {
        tracing::warn!("no --audience is set: wallets on other machines will be refused with proof_invalid");
    }
    announce(&settings, bound);
    let read = move || settings_command::settings(&matches);
    let reloader = Reloader::new((in_files, of_database), bound, http.notifier.clone(), read, set_log);
    let (stop, stopped) = oneshot::channel();
    let mut serving = pin!(serve_reloading(listener, service, http, Some(&reloader), async {
        // Were the sender gone, stopping would be right too.
        let _ = stopped.await;
    }));
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = either(&mut signals) => {}
        failed = restart_wanted(demo.as_ref(), bound) => return failed,
        () = reload_when_asked(&reloader, hangup, control) => {}
    }
    // The server still runs: nothing else drops the receiver.
    let _ = stop.send(());
    tokio::select! {
        () = serving => Ok(()),
        // Whoever asks twice does not want to wait.
        () = either(&mut signals) => Err("stopped by a second signal before open requests had ended".into()),
    }
}

/// Has the settings taken anew at each SIGHUP and when the control socket is asked to. Never returns. Signals that come meanwhile are one.
async fn reload_when_asked(reloader: &Reloader, mut hangup: Signal, control: Option<ControlSocket>) {
    let at_signals = async {
        while hangup.recv().await.is_some() {
            // It is in the log.
            let _ = reloader.reload().await;
        }
        pending::<()>().await
    };
    let at_requests = async {
        match control {
            Some(control) => control.serve(reloader.clone()).await,
            None => pending().await,
        }
    };
    tokio::join!(at_signals, at_requests);
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("--listen {address}: {error}"))
}

/// Who is told how things are. Nobody, where that fails: what to tell and whom decides about no request.
fn notifier() -> Notifier {
    Notifier::from_env().unwrap_or_else(|error| {
        tracing::warn!(%error, "NOTIFY_SOCKET: the service manager cannot be told that the server runs");
        Notifier::default()
    })
}

/// Once the demo page asks for it, lets another process take this one's place; returns where that has failed.
async fn restart_wanted(demo: Option<&Demo>, bound: SocketAddr) -> Result<(), Box<dyn Error>> {
    let down = match demo {
        Some(demo) => demo.restart_wanted().await,
        None => pending().await,
    };
    tokio::time::sleep(RESTART_GRACE).await;
    match restart::restart(bound, down) {
        Err(error) => Err(format!("--demo: could not be started anew: {error}").into()),
    }
}

/// Each connection takes a file descriptor, and many systems start a process with 1,024.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // macOS says that there is no limit, and takes no more than this.
    let most = if cfg!(target_vendor = "apple") { Some(maximum.unwrap_or(10_240)) } else { maximum };
    match setrlimit(Resource::Nofile, Rlimit { current: most, maximum }) {
        Ok(()) => tracing::debug!(limit = most, "file descriptors"),
        Err(error) => tracing::warn!(%error, "the limit on file descriptors could not be raised"),
    }
}

/// The one line on standard output: where the server listens, port included.
fn announce(settings: &Settings, bound: SocketAddr) {
    let scheme = if settings.is_tls() { "https" } else { "http" };
    // Whoever has read it before a restart may have stopped listening.
    let _ = writeln!(io::stdout(), "listening on {scheme}://{bound}");
}

async fn either((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// The log's subscriber, and how it gets another filter. Nothing that is logged waits for standard error, which may be a full disk or a pipe
/// that nobody reads.
fn start_log(settings: &Settings) -> Result<(LogWriter, impl Fn(&LogFilter) + Send + Sync + use<>), Box<dyn Error>> {
    let writer = LogWriter::new(io::stderr())?;
    let (filter, handle) = reload::Layer::new(settings.log.clone().unwrap_or_default().targets());
    let lines = tracing_subscriber::fmt::layer().with_writer(writer.clone()).log_internal_errors(false);
    let log = tracing_subscriber::registry().with(filter);
    match settings.log_format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => log.with(lines.with_ansi(io::stderr().is_terminal())).init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).init(),
    }
    // The usual hook writes to standard error itself.
    panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a bug: a task has panicked")));
    // Fails only where the subscriber is gone, with the process.
    let set = move |filter: &LogFilter| drop(handle.reload(filter.targets()));
    Ok((writer, set))
}

#[allow(clippy::print_stdout)]
fn back_up(settings: &Settings, target: &Path) -> Result<(), Box<dyn Error>> {
    if let Some(url) = &settings.database_url {
        // No success: whoever runs this every night is not to believe that there is a backup.
        let command = url.dump_command(target).map_err(|error| format!("--database-url: {error}"))?;
        return Err(format!("backup: PostgreSQL's own program does that:\n{command}").into());
    }
    let copied = backup(settings.data_dir.as_ref().ok_or("backup: which --data-dir?")?, target)?;
    println!(
        "{} requests, {} of them open, {} bytes, in {}",
        copied.requests,
        copied.open,
        copied.bytes,
        target.display()
    );
    Ok(())
}

#[allow(clippy::print_stdout)]
fn look_through(target: &Path) -> Result<(), Box<dyn Error>> {
    let Verified { contents, key_id, .. } = verify_backup(target)?;
    let missing = || format!("{}: there is no server.key, with which receipts would be signed", target.display());
    let key_id = key_id.ok_or_else(missing)?;
    println!(
        "whole: {} requests, {} of them open, {} webhooks to be told, {} bytes, tables of version {}, key {key_id}",
        contents.requests, contents.open, contents.events, contents.bytes, contents.version
    );
    Ok(())
}

#[allow(clippy::print_stdout)]
fn print_token(name: &str, id: Option<&str>, is_admin: bool) -> Result<(), Box<dyn Error>> {
    let (token, entry) = Tokens::generate(name, id)?;
    // An administrator owns no requests.
    let entry = TokenEntry { id: entry.id.filter(|_| !is_admin), ..entry };
    println!("Bearer token, shown this once:\n\n  {token}\n\nFor the TOML file given by --config:\n");
    print!("{}", toml::to_string(&BTreeMap::from([(if is_admin { "admin_token" } else { "token" }, [entry])]))?);
    Ok(())
}
