//! A twin by itself: what the binary's hidden subcommands do, and `try`, which starts one and says what it can.

use std::{net::IpAddr, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use shieldops_connectors::linux::{Linux, LinuxOptions, TwinOptions, hand, rooted, twin};
use shieldops_model::SystemClock;

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (verb, rest) = args.split_first().context("want twin-init, twin-prober or try")?;
    let code = match verb.as_str() {
        "twin-init" => twin::init_main(rest),
        "twin-prober" => twin::prober_main(rest),
        "twin-rooted" => rooted::rooted_main(rest),
        hand::VERB => hand::hand_main(rest),
        "try" => attempt(rest.first().context("want a folder")?)?,
        other => anyhow::bail!("no such verb: {other}"),
    };
    Ok(ExitCode::from(u8::try_from(code)?))
}

#[expect(clippy::print_stdout, reason = "a tool's answer")]
fn attempt(folder: &str) -> anyhow::Result<i32> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let linux = Linux::new(LinuxOptions {
        data_dir: folder.into(),
        installation: "try".to_owned(),
        clock: Arc::new(SystemClock),
    })?;
    let options = TwinOptions {
        name: "try".to_owned(),
        attacker: IpAddr::from([203, 0, 113, 66]),
        victim: IpAddr::from([203, 0, 113, 10]),
        exe: std::env::current_exe()?,
    };
    match runtime.block_on(linux.start_twin(options)) {
        Ok(twin) => println!("{} v6={}", twin.probe().result.as_str(), twin.has_v6()),
        Err(unavailable) => {
            println!("unavailable: {unavailable}");
            return Ok(3);
        }
    }
    Ok(0)
}
