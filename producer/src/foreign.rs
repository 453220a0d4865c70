//! Files that are something else than text, known by how they begin.

/// How many bytes from the beginning tell what a file is.
pub const HEAD_BYTES: usize = 512;

const AS_CSV: &str = "open it there and save the sheet as CSV (UTF-8)";

/// Beginnings, what they belong to, and what to do.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Excel workbook (.xls, or one with a password)",
        AS_CSV,
    ),
    (
        b"\x1f\x8b",
        "compressed with gzip",
        "unpack it first: gunzip",
    ),
    (
        b"BZh91AY&SY",
        "compressed with bzip2",
        "unpack it first: bunzip2",
    ),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it first: unxz"),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd",
        "unpack it first: unzstd",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (
        b"%PDF-",
        "a PDF",
        "ask for the table that it was made of, as CSV",
    ),
    (
        b"{\\rtf",
        "a text with formatting (RTF)",
        "save it as plain text (UTF-8)",
    ),
    (
        b"SQLite format 3\0",
        "a SQLite database",
        "write the table out as CSV",
    ),
    (b"PAR1", "a Parquet file", "write it out as CSV"),
    (b"Obj\x01", "an Avro file", "write it out as CSV"),
    (b"ARROW1", "an Arrow file", "write it out as CSV"),
    (b"\x89PNG", "a picture", "write its rows into a CSV file"),
    (
        b"\xff\xd8\xff",
        "a picture",
        "write its rows into a CSV file",
    ),
    (
        b"bplist00",
        "a binary property list",
        "write it out as CSV or JSON",
    ),
];

/// What a zip archive that is a document has as the name of its first entry.
const ZIPPED: &[(&[u8], &str)] = &[
    (
        b"mimetypeapplication/vnd.oasis",
        "a LibreOffice document (.ods)",
    ),
    (b"[Content_Types].xml", "an Excel workbook (.xlsx)"),
    (b"_rels/", "an Excel workbook (.xlsx)"),
    (b"docProps/", "an Excel workbook (.xlsx)"),
    (b"xl/", "an Excel workbook (.xlsx)"),
    (b"Index/", "a Numbers document"),
    (b"Data/", "a Numbers document"),
    (b"Index.zip", "a Numbers document"),
];

/// Where the name of a zip archive's first entry begins.
const ZIPPED_NAME: usize = 30;

/// What the file that begins with `head` is, where that is no UTF-8 text, or HTML; and what to do. As the
/// end of a sentence: `this is an Excel workbook (.xlsx); ...`.
#[must_use]
pub fn not_text(head: &[u8]) -> Option<String> {
    let told = |what: &str, remedy: &str| Some(format!("this is {what}; {remedy}"));
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        let name = head.get(ZIPPED_NAME..).unwrap_or_default();
        let known = ZIPPED.iter().find(|(entry, _)| name.starts_with(entry));
        return match known {
            Some((_, what)) => told(what, AS_CSV),
            None => told(
                "a zip archive, or a workbook that is one (.xlsx, .ods, .numbers)",
                "unpack it, or open it in its program and save the sheet as CSV (UTF-8)",
            ),
        };
    }
    if let Some((_, what, remedy)) = KNOWN.iter().find(|(start, ..)| head.starts_with(start)) {
        return told(what, remedy);
    }
    if let Some(encoding) = wide(head) {
        return told(&format!("text in {encoding}"), "save it as UTF-8");
    }
    if head.contains(&0) {
        return told(
            "no text, as it has bytes of value 0",
            "give a text file in UTF-8",
        );
    }
    if is_html(head) {
        return told(
            "HTML, such as a log-in page or a table of a web page",
            "download or export the data itself, as CSV or JSON",
        );
    }
    None
}

/// The encoding of a text whose characters have two or four bytes: by its mark, or by where the zeros of
/// Latin letters are.
#[must_use]
pub fn wide(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
        return Some("UTF-32");
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Some("UTF-16");
    }
    let zeros = |at: usize, of: usize| {
        let parts = head.chunks_exact(of);
        let (all, zero) = (parts.len(), parts.filter(|part| part[at] == 0).count());
        head.len() >= 4 && zero * 2 > all
    };
    if zeros(1, 4) && zeros(2, 4) {
        Some("UTF-32")
    } else if zeros(0, 2) || zeros(1, 2) {
        Some("UTF-16")
    } else {
        None
    }
}

fn is_html(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    // No header, no signup and no setting begins like this.
    start.first() == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_text_is_told_by_what_it_is_with_the_remedy() {
        let zip = |name: &str| {
            let mut head = b"PK\x03\x04".to_vec();
            head.resize(ZIPPED_NAME, 7);
            head.extend(name.bytes());
            head
        };
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (
                zip("[Content_Types].xml"),
                "Excel workbook (.xlsx); open it",
            ),
            (zip("mimetypeapplication/vnd.oasis.opendocument"), "(.ods)"),
            (zip("Index/Document.iwa"), "Numbers"),
            (zip("signups.csv"), "zip archive"),
            (b"PK\x03\x04".to_vec(), "zip archive"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), ".xls"),
            (b"\x1f\x8b\x08".to_vec(), "gunzip"),
            (b"%PDF-1.7".to_vec(), "a PDF"),
            (b"{\\rtf1".to_vec(), "RTF"),
            (b"\xff\xfea\0".to_vec(), "UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0".to_vec(), "UTF-32"),
            (utf16("account,partner"), "UTF-16"),
            (big("account,partner"), "UTF-16"),
            (b"a\0\0\0b\0\0\0c\0\0\0".to_vec(), "text in UTF-32"),
            (b"account\0,partner,number".to_vec(), "no text"),
            (b" \n<!DOCTYPE html>".to_vec(), "HTML"),
        ];
        for (head, what) in cases {
            let told = not_text(&head).unwrap_or_default();
            assert!(told.contains(what), "{head:?}: {told}");
        }
        for text in [
            "account,partner,number",
            "[",
            "{}",
            "",
            "\u{feff}account",
            "PKW,number",
        ] {
            assert_eq!(not_text(text.as_bytes()), None, "{text}");
        }
    }
}
