//! The program: hands the command line to `cli`, nothing else.

fn main() -> std::process::ExitCode {
    ostiary::cli::run()
}
