// How long somebody has been a customer, by the date in a cell, as `churn predict` counts it
// (churn_assets/customers/reading/dates.py).

const DAY = 86400000, DAYS_OF_A_MONTH = 365.25 / 12;
const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;
const GERMAN = /^(\d{1,2})[.](\d{1,2})[.](\d{4})$/;

// Whole months from a cell's date until `today`, a day since 1970 (UTC's, if it isn't given); undefined for
// a cell that isn't certainly a date, or one that is still to come.
export function monthsSince(cell, today = Math.floor(Date.now() / DAY)) {
  const iso = ISO.exec(cell), [day, month, year] = (iso?.slice(1, 4).reverse() ?? GERMAN.exec(cell)?.slice(1) ?? []).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;  // there is no such day
  const days = today - date.getTime() / DAY;
  return days < 0 ? undefined : Math.trunc(days / DAYS_OF_A_MONTH);
}
