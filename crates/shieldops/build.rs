//! Embeds the rules with their samples, and the dashboard where it was built.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    fs::write(out.join("built_in.rs"), rules(&root.join("rules"))?)?;
    // A folder that is not there yet is watched through the one that will hold it.
    let dist = root.join("dashboard/dist");
    let watched = if dist.is_dir() { dist.clone() } else { root.join("dashboard") };
    println!("cargo::rerun-if-changed={}", watched.display());
    fs::write(out.join("assets.rs"), assets(&dist)?)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a build script is told by the environment")]
fn variable(name: &str) -> Outcome<String> {
    Ok(env::var(name)?)
}

/// Every `rule.yml` and the samples beside it. Folders are watched too, so that a new rule is seen.
fn rules(dir: &Path) -> Outcome<String> {
    let mut files = BTreeMap::new();
    println!("cargo::rerun-if-changed={}", dir.display());
    walk(dir, dir, &mut files)?;
    // A static: a constant is copied into each object file that names it.
    let mut code = String::from("/// Every built-in rule, by path.\npub(crate) static BUILT_IN: &[BuiltIn] = &[\n");
    for (name, path) in files.iter().filter(|(name, _)| name.ends_with("/rule.yml")) {
        let beside = |file: &str| {
            let path = path.with_file_name(file);
            if path.exists() { format!("include_str!({:?})", path.display().to_string()) } else { "\"\"".to_owned() }
        };
        let file = format!("rules{name}");
        writeln!(
            code,
            "    BuiltIn {{ file: {file:?}, text: include_str!({:?}), matches: {}, misses: {} }},",
            path.display().to_string(),
            beside("match.ndjson"),
            beside("miss.ndjson")
        )?;
    }
    code.push_str("];\n");
    Ok(code)
}

fn assets(dist: &Path) -> Outcome<String> {
    let mut files = BTreeMap::new();
    if dist.is_dir() {
        walk(dist, dist, &mut files)?;
    }
    let mut code = String::from("/// Every file of the dashboard, by path.\npub(crate) static ASSETS: &[Asset] = &[\n");
    for (name, path) in files.iter().filter(|(name, _)| !has_extension(name, "br") && !has_extension(name, "map")) {
        let packed = files.get(&format!("{name}.br"));
        let brotli = packed.map_or_else(
            || "None".to_owned(),
            |packed| format!("Some(include_bytes!({:?}))", packed.display().to_string()),
        );
        let mut hasher = DefaultHasher::new();
        fs::read(path)?.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        writeln!(
            code,
            "    Asset {{ path: {name:?}, bytes: include_bytes!({:?}), brotli: {brotli}, content_type: {:?}, etag: {etag:?} }},",
            path.display().to_string(),
            content_type(name)
        )?;
    }
    code.push_str("];\n");
    Ok(code)
}

/// The files under a folder by their path from `root`, with a leading slash.
fn walk(root: &Path, dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> Outcome<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root)?.to_str().ok_or("a file name is not UTF-8")?;
            files.insert(format!("/{name}"), path.clone());
        }
    }
    Ok(())
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn content_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
