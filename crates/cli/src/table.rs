//! Small aligned tables for a terminal.

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells, two spaces between columns, each row indented by two.
pub(crate) struct Table<const N: usize> {
    align: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub(crate) fn new(align: [Align; N]) -> Self {
        Self { align, rows: Vec::new() }
    }

    /// An empty table whose first `words` columns hold words, the others numbers.
    pub(crate) fn numbers_after(words: usize) -> Self {
        Self::new(std::array::from_fn(|at| if at < words { Align::Left } else { Align::Right }))
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, cells: [impl Into<String>; N]) {
        self.rows.push(cells.map(Into::into));
    }

    /// The table as text; no line ends in a space.
    pub(crate) fn render(&self) -> String {
        let width = |cell: &String| cell.chars().count();
        let mut widths = [0; N];
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = width(cell).max(*widest);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, align), widest) in row.iter().zip(self.align).zip(widths) {
                let padding = " ".repeat(widest - width(cell));
                line.push_str("  ");
                match align {
                    Align::Left => line.extend([cell.as_str(), &padding]),
                    Align::Right => line.extend([&padding, cell.as_str()]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Align, Table};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([Align::Left, Align::Right]);
        table.row(["a", "1"]);
        table.row(["bcd", "µ10"]);
        assert_eq!(table.render(), "  a      1\n  bcd  µ10\n");
    }
}
