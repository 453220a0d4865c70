//! Lists the files of `recipes/`, so that adding a partner is adding one file there.

use std::{
    env,
    error::Error,
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    // A change of the folder is a file that came or went; what is in a file is the compiler's to watch.
    println!("cargo::rerun-if-changed=../../recipes");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../recipes");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = PathBuf::from(entry?.file_name());
        if path.extension() == Some(OsStr::new("toml")) {
            names.push(
                path.to_str()
                    .ok_or("a recipe's file name is not UTF-8")?
                    .to_owned(),
            );
        }
    }
    names.sort();
    let mut table = String::from("&[\n");
    for name in names {
        writeln!(
            table,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),",
            format!("/../../recipes/{name}")
        )?;
    }
    table.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("recipes.rs"), table)?;
    Ok(())
}
