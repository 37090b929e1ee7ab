//! The `fanfare` command.

use std::process::ExitCode;

use fanfare_server::{app, config};

fn main() -> ExitCode {
    let mut inputs = config::Inputs::new(app::DIALECTS);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--listen" {
            inputs.flags.push(config::Flag {
                name: argument,
                key: "listen".to_owned(),
                value: arguments.next().unwrap_or_default(),
            });
        }
    }
    let loaded = match config::load(&inputs) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{}", problems.render(false));
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("fanfare: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(app::serve(loaded.config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanfare: {error}");
            ExitCode::FAILURE
        }
    }
}
