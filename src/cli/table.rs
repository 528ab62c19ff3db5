//! Aligned columns of text.

/// Lays out a heading and rows so that columns begin at the same place. No rows: says `none`.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]], none: &str) -> String {
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = line(&heading.map(str::to_uppercase), &widths);
    for row in rows {
        text.push_str(&line(row, &widths));
    }
    text
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        // What others named must not move the cursor or start a line of its own.
        let cell: String = cell.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
        let shown = cell.chars().count();
        text.push_str(&cell);
        text.push_str(&" ".repeat(width - shown + 2));
    }
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_stay_on_their_line() {
        let rows = [["a".to_owned(), "long name\nx".to_owned()], ["björn".to_owned(), "b".to_owned()]];
        assert_eq!(table(["id", "name"], &rows, "none"), "ID     NAME\na      long name?x\nbjörn  b\n");
        assert_eq!(table(["id"], &[], "No ids."), "No ids.\n");
    }
}
