//! Why a file cannot be read. Of a refusal the system says only "Permission denied"; whose file it is and
//! as whom this program runs is what a person needs to mend it, in containers above all.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, absolute},
};

use producer::foreign::{HEAD_BYTES, not_text};
use rustix::{
    io::Errno,
    process::{getegid, geteuid},
};

/// The user and the group of a file, or of this process.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ids {
    user: u32,
    group: u32,
}

/// Says that `path` cannot be read, why, and what to do; `otherwise` is the remedy where it is not a
/// matter of permissions.
pub(crate) fn cannot_be_read(path: &Path, error: &io::Error, otherwise: &str) -> String {
    let own = Ids {
        user: geteuid().as_raw(),
        group: getegid().as_raw(),
    };
    // It was read, and says itself what has to be mended.
    if error.kind() == io::ErrorKind::InvalidData {
        return format!("cannot be read: {error}");
    }
    let otherwise = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE) => "raise the number of files that this process may open (`ulimit -n`)",
        Some(Errno::NFILE) => "raise the number of files that this machine may open (fs.file-max)",
        _ => otherwise,
    };
    let refused = error.kind() == io::ErrorKind::PermissionDenied;
    match refused.then(|| refusal(path, own)).flatten() {
        Some(why) => format!("cannot be read ({error}): {why}"),
        None => format!("cannot be read ({error}); {otherwise}"),
    }
}

/// The text in a file's `bytes`, a byte order mark at its beginning included.
///
/// # Errors
/// What it is instead, and what to do; the message has nothing of its content.
pub(crate) fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    let wrong = |message| io::Error::new(io::ErrorKind::InvalidData, message);
    if let Some(what) = not_text(&bytes[..bytes.len().min(HEAD_BYTES)]) {
        return Err(wrong(what));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        wrong(format!(
            "line {line} is not UTF-8, but in another encoding, such as Windows-1252; save it as UTF-8"
        ))
    })
}

/// Whose the file is that `own` may not read, or the folder above it that it may not enter.
fn refusal(path: &Path, own: Ids) -> Option<String> {
    let path = absolute(path).ok()?;
    let known = |place: &Path| Some((place.to_owned(), fs::metadata(place).ok()?));
    let (place, metadata) = path.ancestors().find_map(known)?;
    let owner = Ids {
        user: metadata.uid(),
        group: metadata.gid(),
    };
    let mode = metadata.mode() & 0o7777;
    let what = if place == path {
        "it".to_owned()
    } else {
        format!("the folder {}", place.display())
    };
    let found = format!(
        "{what} belongs to user {}:{} and has mode {mode:04o}, and this program runs as user {}:{}",
        owner.user, owner.group, own.user, own.group
    );
    let wanted = if metadata.is_dir() { 0o5 } else { 0o4 };
    let remedy = if grants(mode, owner, own, wanted) {
        "its mode would allow that, so another rule (SELinux, AppArmor) forbids it".to_owned()
    } else {
        format!(
            "make that user its owner (`chown {}`; of what is mounted into a container, outside of it)",
            own.user
        )
    };
    Some(format!("{found}; {remedy}"))
}

/// Whether a mode lets these ids do what `wanted` says (4: read, 1: enter).
fn grants(mode: u32, owner: Ids, own: Ids, wanted: u32) -> bool {
    let shift = match own {
        Ids { user, .. } if user == owner.user => 6,
        Ids { group, .. } if group == owner.group => 3,
        Ids { .. } => 0,
    };
    (mode >> shift) & wanted == wanted
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const IMAGE: Ids = Ids {
        user: 65532,
        group: 65532,
    };

    #[test]
    fn a_file_of_another_user_is_told_with_its_owner_its_mode_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        fs::write(&key, "secret").unwrap();
        let owner = fs::metadata(&key).unwrap();
        let owner = format!("user {}:{}", owner.uid(), owner.gid());
        for (mode, told) in [
            (0o600, "mode 0600"),
            (0o640, "mode 0640"),
            (0o000, "mode 0000"),
        ] {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            let why = refusal(&key, IMAGE).unwrap();
            for part in [
                "it belongs to",
                &owner,
                told,
                "runs as user 65532:65532",
                "chown 65532",
            ] {
                assert!(why.contains(part), "{part}: {why}");
            }
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let why = refusal(&key, IMAGE).unwrap();
        assert!(why.contains("SELinux") && !why.contains("chown"), "{why}");
    }

    #[test]
    fn what_is_not_a_matter_of_permissions_keeps_its_own_remedy() {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let told = cannot_be_read(Path::new("there-is-none"), &missing, "correct the path");
        assert!(told.ends_with("; correct the path"), "{told}");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = cannot_be_read(Path::new("/etc"), &denied, "correct the path");
        assert!(told.contains(": it belongs to user"), "{told}");
    }

    #[test]
    fn a_file_in_another_encoding_is_told_by_the_encoding_and_not_by_its_path() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, told) in [
            (
                utf16("\u{feff}listen = 1"),
                "text in UTF-16; save it as UTF-8",
            ),
            (utf16("listen = 1"), "text in UTF-16; save it as UTF-8"),
            (b"a = 1\nb = \"caf\xe9\"".to_vec(), "line 2 is not UTF-8"),
        ] {
            let error = text_of(bytes).unwrap_err();
            let told_all = cannot_be_read(Path::new("t.toml"), &error, "correct the path");
            assert!(told_all.contains(told), "{told_all}");
            assert!(!told_all.contains("path"), "{told_all}");
        }
        assert_eq!(text_of(b"a = 1".to_vec()).unwrap(), "a = 1");
    }

    #[test]
    fn too_many_open_files_are_told_with_their_limit_and_not_by_the_path() {
        let error = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        let told = cannot_be_read(Path::new("t.toml"), &error, "correct the path");
        assert!(
            told.contains("ulimit -n") && !told.contains("path"),
            "{told}"
        );
    }

    #[test]
    fn the_most_particular_bits_of_a_mode_decide() {
        let owner = Ids { user: 7, group: 8 };
        for (mode, user, group, wanted, granted) in [
            (0o400, 7, 9, 4, true),
            (0o044, 7, 8, 4, false),
            (0o040, 6, 8, 4, true),
            (0o004, 6, 8, 4, false),
            (0o750, 6, 9, 5, false),
            (0o755, 6, 9, 5, true),
        ] {
            let own = Ids { user, group };
            assert_eq!(
                grants(mode, owner, own, wanted),
                granted,
                "{mode:o} {user}:{group}"
            );
        }
    }
}
