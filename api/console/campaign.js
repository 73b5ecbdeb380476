// The plan of the Campaign tab: limits that replan, contacts, exclusions, approval, download.

import { curve, money } from "/charts.js";

const PAGE = 12;
const WAIT = 150;  // milliseconds that a slider has to rest before it is asked about
const $ = (id) => document.getElementById(id);
const whole = (number) => number.toLocaleString("en-US");
const STATUS = {
  draft: "is a draft: nobody is contacted until somebody approves it",
  approved: "is approved", replaced: "was replaced by a later plan", cancelled: "was cancelled",
};

export function planView({ ask, download, make, facts, latestOnly }) {
  let plan = null, first = 0, resting = 0;
  const lastPlan = latestOnly(), lastReplan = latestOnly(), lastPage = latestOnly();

  function say(text) { $("plan-problem").textContent = text; }

  // What the sliders stand at; each goes from nothing to twice the plan's own limit.
  function limits() {
    const share = Number($("contacts-slider").value) / 100;
    const contacts = Object.entries(plan.contacts_a_day).map(([name, n]) => [name, Math.round(share * n)]);
    return { budget: plan.budget * Number($("budget-slider").value) / 100, contacts_a_day: Object.fromEntries(contacts) };
  }

  function showLimits({ budget, contacts_a_day }) {
    $("budget-value").textContent = money(budget, 0);
    $("contacts-value").textContent = Object.entries(contacts_a_day).map(([name, n]) => `${whole(n)} ${name}`).join(", ");
  }

  function showSums(sums) {
    const more = Object.entries(sums.value_of_one_more).map(([name, value]) => [`One more ${name} brings`, money(value)]);
    facts($("plan-sums"), [
      ["Contacts", whole(sums.contacts)],
      ["Expected value", money(sums.expected_value, 0)],
      ["Expected cost", money(sums.expected_cost, 0)],
      ["Below the best plan", `at most ${(100 * sums.gap).toFixed(2)} %`],
      ...more,
    ]);
  }

  function showPlan(answer) {
    plan = answer;
    $("plan").hidden = false;
    const [begin, end] = [plan.days[0], plan.days.at(-1)];
    $("plan-title").textContent = `Plan ${plan.plan_id} ${STATUS[plan.status]}`;
    $("plan-hint").textContent = `${begin} to ${end}; ${whole(plan.promised)} contacts promised by the plan before.`;
    $("budget-slider").value = $("contacts-slider").value = 100;
    showLimits(limits());
    showSums(plan);
    $("plan-save").disabled = true;
    $("plan-approve").disabled = plan.status !== "draft";
    $("plan-download").disabled = $("plan-hand-over").disabled = plan.status !== "approved";
    $("plan-day").replaceChildren(...plan.days.map((day) => make("option", { value: day, textContent: day })));
    $("plan-channel").replaceChildren(make("option", { value: "", textContent: "all channels" }),
      ...Object.keys(plan.contacts_a_day).map((name) => make("option", { value: name, textContent: name })));
    const left = Object.entries(plan.excluded);
    $("plan-excluded").replaceChildren(...left.map(([rule, n]) => make("li", { textContent: `${whole(n)}: ${plan.rules[rule]}` })));
    $("plan-nobody").hidden = left.length > 0;
    $("plan-steps").replaceChildren(...plan.steps.map((s) =>
      make("li", { textContent: `${s.at.slice(0, 16).replace("T", " ")} UTC: ${s.step} by ${s.who}` })));
    const { money: byMoney, contacts: byContacts } = plan.pareto;
    $("curve-money").replaceChildren(curve(byMoney.map((p) => ({ x: p.budget, y: p.value })), plan.budget,
      { x: "money for the plan", format: (v) => money(v, 0) }, $("curve-money").clientWidth));
    $("curve-contacts").replaceChildren(curve(byContacts.map((p) => ({ x: p.a_day, y: p.value })),
      Object.values(plan.contacts_a_day).reduce((a, b) => a + b, 0),
      { x: "contacts a day", format: whole }, $("curve-contacts").clientWidth));
    first = 0;
    showContacts();
  }

  async function replan() {
    const { answer, error } = await lastReplan(() => ask("/campaign/replan", limits()));
    if (answer) { showSums(answer); $("plan-save").disabled = false; say(""); }
    if (error) say(error.message);
  }

  function moved() {
    showLimits(limits());
    clearTimeout(resting);
    resting = setTimeout(replan, WAIT);
  }

  async function showContacts() {
    const [sort, order] = $("plan-sort").value.split(" ");
    const query = new URLSearchParams({
      plan_id: plan.plan_id, search: $("plan-search").value.trim(), channel: $("plan-channel").value,
      sort, descending: String(order === "down"), start: String(first), count: String(PAGE),
    });
    const { answer, error } = await lastPage(() => ask(`/campaign/plan/contacts?${query}`));
    if (error) return say(error.message);
    if (!answer) return;
    $("plan-rows").replaceChildren(...answer.contacts.map((c) => make("tr", {},
      ...[c.day, c.customer_id, c.channel, `${c.offer_percentage} %`, `${Math.round(100 * c.churn_risk)} %`,
        money(c.expected_value), money(c.expected_cost)].map((text) => make("td", { textContent: text })))));
    $("plan-total").textContent = `${whole(answer.total)} contacts, worth ${money(answer.expected_value, 0)}, cost ${money(answer.expected_cost, 0)}`;
    $("plan-page").textContent = answer.total ? `${first + 1}–${first + answer.contacts.length} of ${whole(answer.total)}` : "none";
    $("plan-previous").disabled = first === 0;
    $("plan-next").disabled = first + PAGE >= answer.total;
  }

  async function change(question) {
    say("Working…");
    const { answer, error } = await lastPlan(async () => { await question(); return ask("/campaign/plan"); });
    if (error) say(error.message);
    if (answer) { say(""); showPlan(answer); }
  }

  async function show() {
    const { answer, error } = await lastPlan(() => ask("/campaign/plan"));
    if (answer) { say(""); showPlan(answer); }
    if (error) { $("plan").hidden = true; say(error.message); }
  }

  const which = () => ({ plan_id: plan.plan_id });
  for (const slider of ["budget-slider", "contacts-slider"]) $(slider).addEventListener("input", moved);
  $("plan-make").addEventListener("click", () => change(() => ask("/campaign/plan", {})));
  $("plan-save").addEventListener("click", () => change(() => ask("/campaign/plan", limits())));
  $("plan-approve").addEventListener("click", () => change(() => ask("/campaign/plan/approve", which())));
  $("plan-hand-over").addEventListener("click", async () => {
    const { answer, error } = await lastPlan(() => ask("/campaign/plan/handed-over", { ...which(), day: $("plan-day").value }));
    if (error) say(error.message);
    if (answer) say(`${whole(answer.new)} contacts are in the ledger now, ${whole(answer.already)} were there already.`);
  });
  $("plan-download").addEventListener("click", async () => {
    try {
      await download(`/campaign/plan/list?${new URLSearchParams({ ...which(), day: $("plan-day").value })}`,
        `contacts-${plan.plan_id}-${$("plan-day").value}.csv`);
      say("");
    } catch (error) { say(error.message); }
  });
  const again = () => { first = 0; showContacts(); };
  for (const id of ["plan-search", "plan-channel", "plan-sort"]) $(id).addEventListener("input", again);
  $("plan-previous").addEventListener("click", () => { first = Math.max(0, first - PAGE); showContacts(); });
  $("plan-next").addEventListener("click", () => { first += PAGE; showContacts(); });
  return show;
}
