fn main() -> anyhow::Result<()> {
    let inherited = ipcd::transport::activation::take()?;
    let paths = ipcd::paths::Paths::from_env()?;
    let detached = std::env::args().any(|a| a == "--detached");
    ipcd::daemon::run(ipcd::daemon::Options { paths, detached, inherited })
}
