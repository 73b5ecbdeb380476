// CSV as spreadsheets write it: read into cells, and written so that they run nothing of it.

const DANGEROUS = /^[=+\-@\t\r]/;  // at its beginning a spreadsheet takes a cell for code

// The mark that separates the cells: the commonest of the header.
export function separatorOf(text) {
  const header = text.slice(0, (text.indexOf("\n") + 1 || text.length + 1) - 1);
  return [",", ";", "\t"].reduce((best, mark) => (header.split(mark).length > header.split(best).length ? mark : best));
}

// Rows of cells; empty lines are none. A quoted cell may hold the mark, line breaks and "" for ".
export function parse(text, mark) {
  const rows = [];
  let cells = [], cell = "", quoted = false, i = 0;
  const endRow = () => {
    cells.push(cell);
    if (cells.length > 1 || cell.trim() !== "") rows.push(cells);
    cells = [];
    cell = "";
  };
  while (i < text.length) {
    const c = text[i++];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i] === '"') { cell += '"'; i++; }
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === mark) { cells.push(cell); cell = ""; }
    else if (c === "\n" || (c === "\r" && text[i] !== "\n")) endRow();
    else if (c !== "\r") cell += c;
  }
  if (quoted) throw new Error("a quoted cell never ends");
  if (cell !== "" || cells.length) endRow();
  return rows;
}

export function write(rows) {
  const cellOf = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && DANGEROUS.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((cells) => `${cells.map(cellOf).join(",")}\r\n`);
  return new Blob(["\ufeff", ...lines], { type: "text/csv;charset=utf-8" });
}
