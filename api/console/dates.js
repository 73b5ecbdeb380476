// How long somebody has been a customer, by the date in a cell, as `churn predict` counts it
// (churn_assets/customers/reading/dates.py).

const DAY = 86400000, DAYS_OF_A_MONTH = 365.25 / 12;
const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;
const TIME = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?(?: ?[AaPp][Mm])?";
const GERMAN = new RegExp(`^([0-9]{1,2})[.]([0-9]{1,2})[.]([0-9]{4})(?:,? ${TIME})?$`);
const SLASHED = new RegExp(`^([0-9]{1,2})([/-])([0-9]{1,2})\\2([0-9]{4})(?: ${TIME})?$`);

// The day, month and year of a cell; none of one that isn't written like a date. Whether 01/09/2025 begins with
// its day or its month only the contract's format says: `written` is "dd/mm/yyyy", "mm/dd/yyyy" or undefined.
function partsOf(cell, written) {
  const iso = ISO.exec(cell), slashed = written && SLASHED.exec(cell);
  if (iso) return [iso[3], iso[2], iso[1]];
  if (!slashed) return GERMAN.exec(cell)?.slice(1, 4) ?? [];
  const [, first, , second, year] = slashed;
  return written === "mm/dd/yyyy" ? [second, first, year] : [first, second, year];
}

// Whole months from a cell's date until `today`, a day since 1970 (UTC's, if it isn't given); undefined for
// a cell that isn't certainly a date as it may be `written`, or one that is still to come.
export function monthsSince(cell, today = Math.floor(Date.now() / DAY), written = undefined) {
  const [day, month, year] = partsOf(cell, written).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;  // there is no such day
  if (year < 100) return undefined;  // Date.UTC takes it for one of the twentieth century
  const days = today - date.getTime() / DAY;
  return days < 0 ? undefined : Math.trunc(days / DAYS_OF_A_MONTH);
}
