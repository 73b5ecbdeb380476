// CSV as spreadsheets write it: read into cells, and written so that they run nothing of it.

const DANGEROUS = /^[=+\-@\t\r]/;  // at its beginning a spreadsheet takes a cell for code

const SAYS_MARK = /^sep=(.)\r?\n/;  // a first line of Excel's, above the header
const MARKS = [",", ";", "\t", "|"];
const SAMPLE = 1 << 18;  // characters that a mark is found in
const LONGEST = 100;  // lines in one quoted cell
const UNCLOSED = "has a quote that is not closed, or not doubled within a cell";
const BEGIN = 0, PLAIN = 1, QUOTED = 2, QUOTE = 3;  // where in a cell we are; the last: at its end, or at half of ""

// Each with its end: \n, \r or both.
const linesOf = (text) => text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];

// The record that begins with a line: its cells and the line after it, or what is wrong with it. A quoted
// cell may hold the mark, line breaks and "" for ". In a lenient look anything may follow such a cell.
function recordAt(lines, first, mark, lenient = false) {
  const cells = [];
  let cell = "", place = BEGIN;
  for (let n = first; n < lines.length && (lenient || n < first + LONGEST); n++) {
    for (const c of lines[n]) {
      if (place === QUOTED) {
        if (c === '"') place = QUOTE;
        else cell += c;
      } else if (c === "\n" || c === "\r") break;
      else if (c === mark) { cells.push(cell); cell = ""; place = BEGIN; }
      else if (c === '"' && (place === BEGIN || place === QUOTE)) {
        if (place === QUOTE) cell += c;
        place = QUOTED;
      } else if (place === QUOTE && !lenient) return { cells: [], next: first + 1, problem: UNCLOSED };
      else { cell += c; place = PLAIN; }
    }
    if (place !== QUOTED) return { cells: [...cells, cell], next: n + 1, problem: "" };
  }
  return lenient ? { cells: [...cells, cell], next: lines.length } : { cells: [], next: first + 1, problem: UNCLOSED };
}

// How well a mark separates the cells: which share of the rows has the header's width, and that width.
function fit(lines, mark) {
  const widths = [];
  for (let n = 0; n < lines.length;) {
    const { cells, next } = recordAt(lines, n, mark, true);
    if (lines[n].trim() !== "" || cells.length > 1) widths.push(cells.length);
    n = next;
  }
  if (!widths.length || widths[0] < 2) return [0, 0];
  return [Math.round((10 * widths.filter((width) => width === widths[0]).length) / widths.length), widths[0]];
}

// The mark that separates the cells: as the first line says, or the one that gives the most rows of the
// header's width, and of them the widest.
export function separatorOf(text) {
  const said = SAYS_MARK.exec(text);
  if (said) return said[1];
  const lines = linesOf(text.slice(0, SAMPLE)), fits = MARKS.map((mark) => fit(lines, mark));
  const best = fits.reduce((best, [share, width], i) =>
    (share > fits[best][0] || (share === fits[best][0] && width > fits[best][1]) ? i : best), 0);
  return MARKS[best];
}

// The records, the header first, as `churn predict` reads them: { cells, line, problem }. What follows a
// broken one begins on the line after it begins: a quote that isn't closed costs one line, not the rest.
export function parse(text, mark) {
  const lines = linesOf(text.replace(SAYS_MARK, "")), records = [];
  let width = 0;
  for (let n = 0; n < lines.length;) {
    const line = lines[n].replace(/[\r\n]+$/, "");
    let { cells, next, problem } = recordAt(lines, n, mark);
    const nothing = line === "" || (cells.length === 1 && width > 1 && cells[0].trim() === "");
    if (problem || !nothing) {
      width = width || cells.length;
      if (cells.length !== width && next > n + 1) [cells, next, problem] = [[], n + 1, "has a quote that is not closed"];
      records.push({ cells, line, problem });
    }
    n = next;
  }
  return records;
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
