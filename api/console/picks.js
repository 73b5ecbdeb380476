// Whom to look at: the most valuable customers, a search by id, and what is known of past contacts.

import { percent, money } from "/charts.js";
import { $, ask, latestOnly, make, pager, whenTyped } from "/page.js";

const SIZE = 8;
const ANSWERS = { accepted: "accepted", refused: "refused" };

// `chosen(customer)` is told of a pick.
export function picksView(chosen) {
  const lastList = latestOnly();

  const pages = pager({ previous: "previous", next: "next", place: "page" }, SIZE, async (first, count) => {
    const search = $("pick-search").value.trim();
    const { answer, error } = await lastList(() =>
      ask(`/customers?${new URLSearchParams({ search, start: String(first), count: String(count) })}`));
    if (answer) {
      $("pick-hint").textContent = search && !answer.total
        ? "The latest predictions know no such customer." : "The latest predictions, by expected value.";
      $("picks").replaceChildren(...answer.customers.map(pick));
      pages.shown(answer.customers.length, answer.total);
    }
    if (error) {
      $("pick-hint").textContent = error.message;
      pages.failed();
    }
  });

  function pick(customer) {
    const offer = `offer ${customer.contact ? `${customer.offer_percentage} %` : "–"}`;
    const button = make("button", { type: "button" },
      make("span", { className: "who", textContent: customer.customer_id }),
      make("span", { className: "what", textContent: `risk ${percent(customer.churn_risk)}, ${customer.excluded?.text ?? offer}` }),
      make("span", { className: "worth", textContent: money(customer.expected_value) }));
    button.addEventListener("click", () => {
      for (const other of $("picks").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
      chosen(customer);
    });
    return make("li", {}, button);
  }

  const atOnce = whenTyped($("pick-search"), pages.restart);
  $("pick-form").addEventListener("submit", (event) => {
    event.preventDefault();
    atOnce();
    pages.restart();
  });
  return pages.restart;
}

export function historyView() {
  const lastHistory = latestOnly();

  function line({ when, channel, offer_percentage, planned, answer }) {
    const parts = [
      `${when.slice(0, 16).replace("T", " ")} UTC`, channel ?? "channel not known",
      offer_percentage === null ? "offer not known" : `${offer_percentage} % off`,
      ANSWERS[answer] ?? "no answer yet", planned ? "by a campaign" : "reported",
    ];
    return make("li", { textContent: parts.join(" · ") });
  }

  return async (customer) => {
    $("history-hint").textContent = "";
    $("history").replaceChildren();
    const { answer, error } = await lastHistory(() => ask(`/customers/${encodeURIComponent(customer)}/contacts`));
    if (error) $("history-hint").textContent = error.message;
    if (!answer) return;
    const said = [];
    const since = answer.opted_out_since ? ` since ${answer.opted_out_since.slice(0, 10)}` : "";
    if (answer.opted_out) said.push(`Doesn't want to be contacted${since}.`);
    if (answer.churned) said.push(`Left on ${answer.churned.slice(0, 10)}, as was reported.`);
    if (answer.excluded && !answer.opted_out && !answer.churned) said.push(`This customer ${answer.excluded.text}, by your own table.`);
    if (answer.complained) said.push(`Complained on ${answer.complained.slice(0, 10)}.`);
    if (!answer.contacts.length) said.push(`Nobody has contacted ${customer}, as far as the ledger knows.`);
    $("history-hint").textContent = said.join(" ");
    $("history").replaceChildren(...answer.contacts.map(line));
  };
}
