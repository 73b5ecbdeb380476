// How a table writes its numbers, found as `churn customers check` and `churn predict` find it
// (churn_assets/customers/reading/numbers.py): as the contract says, else as the cells tell that can't be
// anything else. "1,250" may be 1250 or 1.25, and tells nothing; nor does "1.250".

const BLANKS = "' \u00a0\u202f";
const THOUSANDS = [",", ".", ...BLANKS];
const CODES = "AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MAD|"
  + "MXN|MYR|NOK|NZD|PEN|PHP|PLN|RON|RSD|SAR|SEK|SGD|THB|TND|TRY|TWD|UAH|USD|UYU|VND|XAF|XOF|ZAR";
const CURRENCY = `(?:[A-Z]{0,2}[$]|[€£¥₹₽₺₩₪₴₫₱]|kr|zł|Kč|Ft|Fr[.]|[Ee]uros?|${CODES})`;
const GAP = "[ \u00a0\u202f]*";
const AMOUNT = new RegExp(`^([+-]?)${CURRENCY}${GAP}([+-]?[0-9.,].*)$|^([+-]?[0-9.,](?:.*[0-9.,])?)${GAP}${CURRENCY}$`, "u");
const withoutCurrency = (cell) => cell.replace(AMOUNT, "$1$2$3");  // "€ 34.90" and "34,90 EUR" as "34.90" and "34,90"
const whole = (pattern) => new RegExp(`^(?:${pattern})$`);

// What a cell tells -> what the whole of it looks like: that the comma or the point stands before
// decimals, or that a mark stands between thousands.
const TELLING = {
  comma: whole(`[+-]?([0-9]+,([0-9]{1,2}|[0-9]{4,})|[0-9]{4,},[0-9]{3}|0,[0-9]+|[1-9][0-9]{0,2}([.${BLANKS}][0-9]{3})+,[0-9]+)`),
  point: whole("[+-]?([0-9]*[.]([0-9]{1,2}|[0-9]{4,})|[0-9]{4,}[.][0-9]{3}|0[.][0-9]+|[0-9]+[.]"
    + `|[1-9][0-9]{0,2}([,${BLANKS}][0-9]{3})+[.][0-9]+)`),
  ...Object.fromEntries(THOUSANDS.map((mark) => {
    const groups = `[+-]?[1-9][0-9]{0,2}([${mark}][0-9]{3})`, other = mark === "," ? "." : ",";
    return [mark, whole(BLANKS.includes(mark) ? `${groups}+([.,][0-9]+)?` : `${groups}+[${other}][0-9]+|${groups}{2,}`)];
  })),
};

// The marks of cells that were counted by what they tell.
function marksOf(counts, { decimal, thousands }) {
  if (decimal === undefined && (thousands === "," || thousands === ".")) decimal = thousands === "," ? "." : ",";
  let told = decimal !== undefined || thousands !== undefined;  // or 1.250 may be 1250 all the same
  if (decimal === undefined) {
    decimal = counts.comma > counts.point || (counts["."] && !counts.point) ? "," : ".";
    told ||= decimal === "," || counts.point > 0;
  }
  if (thousands === undefined) {
    const most = THOUSANDS.filter((mark) => mark !== decimal).reduce((most, mark) => (counts[mark] > counts[most] ? mark : most));
    thousands = counts[most] ? most : "";
  }
  return { decimal, thousands, told: told || thousands !== "" };
}

// Why it isn't certain which number a cell is, as the check says it; "" where it is, and where it is none.
function doubtOf(written, { decimal, thousands, told }) {
  const grouped = (mark) => whole(`[+-]?[1-9][0-9]{0,2}([${mark}][0-9]{3})+`).test(withoutCurrency(written));
  const mayHave = "may have thousands or decimals after its", [mark, name] = decimal === "." ? [",", "comma"] : [".", "point"];
  if (!told && grouped(".")) return `${mayHave} point: say format.decimal or format.thousands`;
  return !thousands && grouped(mark) ? `${mayHave} ${name}: say format.thousands` : "";
}

// A reader of each column of numbers, by the column's cells: as `given`, else as its own cells tell, or
// else as all of them do. It gives the number of a cell, undefined where the cell isn't certainly one, and by
// `doubt` says of a cell that may be two of them why.
export function readersOf(columns, given) {
  const told = columns.map((cells) => Object.fromEntries(Object.entries(TELLING).map(([what, pattern]) =>
    [what, cells.filter((cell) => pattern.test(withoutCurrency(cell))).length])));
  const sum = Object.fromEntries(Object.keys(TELLING).map((what) => [what, told.reduce((all, counts) => all + counts[what], 0)]));
  return told.map((counts) => readerOf(marksOf(Object.values(counts).some(Boolean) ? counts : sum, given)));
}

function readerOf(marks) {
  const { decimal, thousands } = marks;
  const digits = thousands ? `([0-9]+|[0-9]{1,3}([${thousands}][0-9]{3})+)` : "[0-9]+";
  const pattern = whole(`[+-]?(${digits}([${decimal}][0-9]*)?|[${decimal}][0-9]+)([eE][+-]?[0-9]+)?`);
  const read = (written) => {
    const cell = withoutCurrency(written);
    if (!pattern.test(cell)) return undefined;
    const number = Number((thousands ? cell.replaceAll(thousands, "") : cell).replace(decimal, "."));
    return Number.isFinite(number) ? number : undefined;  // JSON has no larger one; the field refuses its text
  };
  return Object.assign(read, { doubt: (cell) => doubtOf(cell, marks) });
}

// One group of three digits behind a comma or a point: thousands, or decimals.
const DOUBTFUL = whole("([+-]?[1-9][0-9]{0,2})[.,]([0-9]{3})");

// What somebody has typed, as { number }, or as { problem } in words. Nothing else in the form tells how they
// write numbers, so what may be two of them is asked about.
export function typed(text) {
  const cell = withoutCurrency(text.trim()), [, digits, rest] = DOUBTFUL.exec(cell) ?? [];
  if (rest) return { problem: `This may be ${digits}${rest} or ${plain(Number(`${digits}.${rest}`))}: write the one that is meant.` };
  const number = readersOf([[cell]], {})[0](cell);
  return number === undefined ? { problem: "This is not a number." } : { number };
}

// A number as it is typed so that it can't be another: 64.125 as 64.1250.
export const plain = (number) => (DOUBTFUL.test(String(number)) ? `${number}0` : String(number));
