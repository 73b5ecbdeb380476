// The plan of the Campaign tab: limits that replan, contacts, exclusions, approval, download.

import { curve, drawIn, money } from "/charts.js";
import { $, WAIT, ask, download, facts, latestOnly, make, pager, row, whenTyped, whole } from "/page.js";

const SIZE = 12;
const STATUS = {
  draft: "is a draft: nobody is contacted by it until somebody approves it",
  approved: "is approved", replaced: "was replaced by another plan", cancelled: "was cancelled",
};
const OTHERS = {  // what a plan does that is still there after another one was taken back
  approved: "is still approved: its lists go out", draft: "is still a draft: nobody is contacted by it",
};
const LEFT_OUT = {  // why a contact isn't handed over, beside the rules
  channel_closed: "can't be contacted by the planned channel any more on that day",
  unknown_customer: "isn't among the latest predictions",
  only_in_a_cancelled_plan: "is only in the list of a plan that was cancelled",
};

const option = (value, textContent = value) => make("option", { value, textContent });
const note = (id, textContent, className = "hint") => Object.assign($(id), { textContent, className });
const aDayOf = ({ contacts_a_day }) => Object.values(contacts_a_day).reduce((a, b) => a + b, 0);

export function planView() {
  let plan = null, resting = 0;
  let replanned = false;  // whether it is known what the limits that the sliders stand at would bring
  let asked = 0;  // questions about plans whose answers are still to come
  const lastPlan = latestOnly(), lastReplan = latestOnly(), lastPage = latestOnly(), lastOut = latestOnly();

  const say = (text, kind) => note("plan-problem", text, kind);
  const fail = (error) => say(error.message, "error");

  // The plan (the newest where none is named), and `scale`, the limits that its sliders are a share of:
  // its own, or the settings' where its own are nothing.
  async function told(plan_id) {
    const query = plan_id ? `?${new URLSearchParams({ plan_id })}` : "";
    const found = await ask(`/campaign/plan${query}`);
    const anybody = aDayOf(found) > 0;
    if (found.budget > 0 && anybody) return { ...found, scale: found };
    const usual = await ask("/campaign/replan", { days: found.days.length }).catch(() => found);
    const { contacts_a_day } = anybody ? found : usual;
    return { ...found, scale: { budget: found.budget || usual.budget, contacts_a_day } };
  }

  // What the sliders stand at; each goes from nothing to twice its scale.
  function limits() {
    const share = Number($("contacts-slider").value) / 100;
    const contacts = Object.entries(plan.scale.contacts_a_day).map(([name, n]) => [name, Math.round(share * n)]);
    const budget = plan.scale.budget * Number($("budget-slider").value) / 100;
    return { budget, contacts_a_day: Object.fromEntries(contacts), days: plan.days.length };
  }

  function showLimits({ budget, contacts_a_day }) {
    $("budget-value").textContent = money(budget, 0);
    $("contacts-value").textContent = Object.entries(contacts_a_day).map(([name, n]) => `${whole(n)} ${name}`).join(", ");
  }

  // Only what is shown can be approved: a draft, while the sliders stand at its own limits.
  const ownLimits = () => ({ "budget-slider": plan.budget > 0 ? "100" : "0", "contacts-slider": aDayOf(plan) > 0 ? "100" : "0" });
  const atOwnLimits = () => Object.entries(ownLimits()).every(([id, value]) => $(id).value === value);

  // While something works nothing can be done with the plan that is shown: another may come in its place.
  function showChoice() {
    const own = plan === null || atOwnLimits(), status = plan?.status;
    const can = {
      "plan-make": true, "plan-which": true, "plan-approved-show": true,
      "budget-slider": plan?.scale.budget > 0, "contacts-slider": plan !== null && aDayOf(plan.scale) > 0,
      "plan-save": replanned,
      "plan-approve": own && status === "draft",
      "plan-cancel": status === "draft" || status === "approved",
      "plan-download": status === "approved",
      // A list that was taken went out, whatever has become of its plan.
      "plan-hand-over": status === "approved" || plan?.listed.includes($("plan-day").value),
    };
    for (const [id, able] of Object.entries(can)) $(id).disabled = asked > 0 || !able;
    $("plan-moved").hidden = own;
  }

  // Asks something of a plan: whoever pressed a button with the keyboard stands on it afterwards.
  async function askOfPlan(question) {
    const pressed = document.activeElement;
    asked += 1;
    showChoice();
    const found = await lastPlan(question);
    asked -= 1;
    showChoice();
    if (document.activeElement === document.body) pressed?.focus();
    return found;
  }

  function showSums(sums) {
    const inOrder = Object.entries(sums.value_of_one_more).sort(([a], [b]) =>
      (a === "money") - (b === "money") || a.localeCompare(b));
    const more = inOrder.map(([name, value]) =>
      [name === "money" ? `${money(1, 0)} more to spend brings at most` : `One more ${name} a day brings`, money(value)]);
    facts($("plan-sums"), [
      ["Contacts", whole(sums.contacts)],
      ["Expected value", money(sums.expected_value, 0)],
      ["Expected cost", money(sums.expected_cost, 0)],
      ...(sums.paid > 0 ? [["Already handed over", money(sums.paid, 0)]] : []),
      ["Below the best plan", `at most ${(100 * sums.gap).toFixed(2)} %`],
      ...more,
    ]);
    const [begin, end] = [plan.days[0], plan.days.at(-1)];
    const later = plan.promised_later ? `, ${whole(plan.promised_later)} more for later days` : "";
    $("plan-hint").textContent = `${begin} to ${end}; ${whole(plan.promised)} contacts promised by the plan before${later}.${exceeded(sums)}`;
  }

  // A plan keeps its own limits; only what an earlier one promised, or had handed over, may be more.
  function exceeded({ promised, paid = 0, expected_cost, budget, by_day, contacts_a_day }) {
    const before = [...(promised > 0 ? ["promised"] : []), ...(paid > 0 ? ["handed over"] : [])].join(" and ");
    const over = expected_cost + paid > budget + 0.01
      || by_day.some((day) => Object.entries(contacts_a_day).some(([name, most]) => day[name] > most));
    return before && over ? ` What was ${before} before is more than these limits allow: it is kept all the same.` : "";
  }

  // Whose lists go out at present, where it isn't the plan that is shown.
  function showApproved({ plan_id, status, approved }) {
    const other = approved !== null && approved !== plan_id;
    $("plan-approved").hidden = !other && (approved !== null || status === "draft");
    $("plan-approved-words").textContent = other
      ? `Approved at present: plan ${approved}. Its lists go out.` : "No plan is approved at present: no list goes out.";
    $("plan-approved-show").hidden = !other;
  }

  function showPlan(answer) {
    const again = plan?.plan_id === answer.plan_id && plan.today === answer.today;
    const day = again ? $("plan-day").value : answer.today;
    plan = answer;
    $("plan").hidden = false;
    $("plan-title").textContent = `Plan ${plan.plan_id} ${STATUS[plan.status]}`;
    showApproved(plan);
    $("plan-warnings").replaceChildren(...plan.warnings.map((textContent) => make("li", { textContent })));
    $("plan-warnings").hidden = plan.warnings.length === 0;
    for (const [id, value] of Object.entries(ownLimits())) $(id).value = value;
    replanned = false;
    stopReplanning();
    showLimits(limits());
    showSums(plan);
    const channels = Object.keys(plan.contacts_a_day), left = Object.entries(plan.excluded);
    $("plan-day").replaceChildren(...plan.days.map((each) => option(each, each === plan.today ? `${each} (today)` : each)));
    if (plan.days.includes(day)) $("plan-day").value = day;
    showChoice();
    $("plan-on").replaceChildren(option("", "all days"), ...plan.days.map((day) => option(day)));
    $("plan-channel").replaceChildren(option("", "all channels"), ...channels.map((name) => option(name)));
    $("plan-channels").replaceChildren(make("tr", {}, ...["Day", ...channels].map((textContent) => make("th", { scope: "col", textContent }))));
    $("plan-days").replaceChildren(...plan.by_day.map((day) => row([day.day, ...channels.map((name) => whole(day[name]))])));
    $("plan-excluded").replaceChildren(...left.map(([rule, n]) => make("li", { textContent: `${whole(n)}: ${plan.rules[rule]}` })));
    $("plan-nobody").hidden = left.length > 0;
    $("plan-out").hidden = left.length === 0;
    $("out-rule").replaceChildren(option("", "all rules"), ...left.map(([rule]) => option(rule, plan.rules[rule])));
    $("out-search").value = $("plan-search").value = "";
    showSteps();
    const { money: byMoney, contacts: byContacts } = plan.pareto;
    const { budget } = plan, aDay = aDayOf(plan);
    drawIn($("curve-money"), (width) => curve(byMoney.map((p) => ({ x: p.budget, y: p.value })), budget,
      { x: "money for the plan", format: (v) => money(v, 0) }, width));
    drawIn($("curve-contacts"), (width) => curve(byContacts.map((p) => ({ x: p.a_day, y: p.value })), aDay,
      { x: "contacts a day", format: whole }, width));
    if (!again) {  // rows of another plan
      for (const id of ["plan-rows", "out-rows"]) $(id).replaceChildren();
      for (const id of ["plan-total", "out-problem"]) note(id, "Loading…");
    }
    contacts.restart();
    if (left.length) out.restart();
  }

  async function showPlans() {
    const { plans } = await ask("/campaign/plans");
    $("plan-which").replaceChildren(...plans.map(({ plan_id, status, days }) =>
      option(plan_id, `${days[0]} · ${status} · ${plan_id.slice(-4)}`)));
    $("plan-which").value = plan.plan_id;
    $("plan-others").hidden = plans.length < 2;
  }

  async function replan() {
    const { answer, error } = await lastReplan(() => ask("/campaign/replan", limits()));
    if (answer || error) $("plan-sums").removeAttribute("aria-busy");
    if (answer) {
      replanned = true;
      showSums(answer);
      showChoice();
      say("");
    }
    if (error) fail(error);
  }

  function moved() {
    replanned = false;
    showLimits(limits());
    showChoice();
    stopReplanning();
    if (atOwnLimits()) return showSums(plan);
    $("plan-sums").setAttribute("aria-busy", "true");
    resting = setTimeout(replan, WAIT);
  }

  function stopReplanning() {
    clearTimeout(resting);
    lastReplan(() => Promise.resolve());  // an answer on its way is of limits that are shown no more
    $("plan-sums").removeAttribute("aria-busy");
  }

  const contacts = pager({ previous: "plan-previous", next: "plan-next", place: "plan-page" }, SIZE, async (first, count) => {
    const [sort, order] = $("plan-sort").value.split(" ");
    const query = new URLSearchParams({
      plan_id: plan.plan_id, search: $("plan-search").value.trim(), channel: $("plan-channel").value,
      sort, descending: String(order === "down"), start: String(first), count: String(count),
    });
    if ($("plan-on").value) query.set("day", $("plan-on").value);
    const { answer, error } = await lastPage(() => ask(`/campaign/plan/contacts?${query}`));
    if (error) {
      note("plan-total", error.message, "error");
      contacts.failed();
    }
    if (!answer) return;
    $("plan-rows").replaceChildren(...answer.contacts.map((c) => row([
      c.day, c.customer_id, c.channel, `${c.offer_percentage} %`, `${Math.round(100 * c.churn_risk)} %`,
      money(c.expected_value), money(c.expected_cost)])));
    note("plan-total", `${whole(answer.total)} contacts, worth ${money(answer.expected_value, 0)}, cost ${money(answer.expected_cost, 0)}`);
    contacts.shown(answer.contacts.length, answer.total);
  });

  const out = pager({ previous: "out-previous", next: "out-next", place: "out-page" }, SIZE, async (first, count) => {
    const query = new URLSearchParams({
      plan_id: plan.plan_id, search: $("out-search").value.trim(), rule: $("out-rule").value,
      start: String(first), count: String(count),
    });
    const { answer, error } = await lastOut(() => ask(`/campaign/plan/excluded?${query}`));
    if (error) {
      note("out-problem", error.message, "error");
      out.failed();
    }
    if (!answer) return;
    note("out-problem", "");
    $("out-rows").replaceChildren(...answer.customers.map((c) => row([c.customer_id, plan.rules[c.rule]])));
    out.shown(answer.customers.length, answer.total);
  });

  // Does something with a plan and shows what became of it; `words` says more of what was done.
  async function change(question, words = () => "") {
    say("Working…");
    const { answer, error } = await askOfPlan(async () => {
      const done = await question();
      const now = await told(done.plan_id).catch((why) => { throw new Error(`${words(done)} ${why.message}`.trim()); });
      return { now, said: words(done) };
    });
    if (error) fail(error);
    if (answer) await shown(answer.now, answer.said);
  }

  // Only the approved plan's contacts are made: whoever takes another one back stops nobody's.
  function sureToTakeBack({ plan_id, status, approved }) {
    const then = status === "approved"
      ? "Its contacts won't be made; those handed over already stay, and a list that was taken may still go out."
      : "Nobody is contacted by a draft.";
    const other = approved !== null && approved !== plan_id
      ? ` This stops no contact: plan ${approved} stays approved, and its lists go out.` : "";
    return confirm(`Take plan ${plan_id} back? ${then}${other}`);
  }

  function takenBack({ plan_id, still_there }) {
    const others = still_there.map((other) => `Plan ${other.plan_id} ${OTHERS[other.status]}.`);
    const none = still_there.some(({ status }) => status === "approved") ? [] : ["No plan is approved: no list goes out."];
    return [`Plan ${plan_id} was taken back.`, ...others, ...none].join(" ");
  }

  function showSteps() {
    $("plan-steps").replaceChildren(...plan.steps.map((s) =>
      make("li", { textContent: `${s.at.slice(0, 16).replace("T", " ")} UTC: ${s.step} by ${s.who}` })));
  }

  // Nobody can take a hand-over back.
  function sureToHandOver(day) {
    const on = plan.by_day.find((each) => each.day === day) ?? {};
    const planned = Object.keys(plan.contacts_a_day).reduce((sum, name) => sum + (on[name] ?? 0), 0);
    const early = day > plan.today ? " That day is still to come: its list must have been taken." : "";
    return confirm(`Has the sending system taken the list of ${day} (${whole(planned)} contacts planned)?${early}`
      + " They count as made and paid from now on, which can't be taken back.");
  }

  async function handOver() {
    const plan_id = plan.plan_id, day = $("plan-day").value;
    if (!sureToHandOver(day)) return;
    say("Working…");
    const { answer, error } = await askOfPlan(async () => {
      const done = await ask("/campaign/plan/handed-over", { plan_id, day });
      return { done, now: await ask(`/campaign/plan?${new URLSearchParams({ plan_id })}`) };
    });
    if (error) fail(error);
    if (!answer) return;
    const { done } = answer, left = Object.entries(done.dropped);
    plan.steps = answer.now.steps;
    showSteps();
    say([`List of ${day}: ${whole(done.new)} contacts are in the ledger now, ${whole(done.already)} were there already.`,
      ...left.map(([rule, n]) => `${whole(n)} left out: ${plan.rules[rule] ?? LEFT_OUT[rule] ?? rule.replaceAll("_", " ")}.`)].join(" "));
  }

  async function shown(answer, said = "") {
    say(said, said ? "strong" : "hint");
    showPlan(answer);
    try { await showPlans(); } catch (error) { fail(error); }
  }

  // Where none is named: the newest, or the one in force where the newest is over.
  async function show(plan_id = "") {
    say("Loading…");
    const { answer, error } = await askOfPlan(async () => {
      const found = await told(plan_id);
      const over = found.status === "cancelled" || found.status === "replaced";
      return !plan_id && over && found.approved ? told(found.approved).catch(() => found) : found;
    });
    if (answer) await shown(answer);
    if (error) { $("plan").hidden = true; fail(error); }
  }

  const which = () => ({ plan_id: plan.plan_id });
  for (const slider of ["budget-slider", "contacts-slider"]) $(slider).addEventListener("input", moved);
  $("plan-make").addEventListener("click", () => change(() => ask("/campaign/plan", {})));
  $("plan-save").addEventListener("click", () => change(() => ask("/campaign/plan", limits())));
  $("plan-approve").addEventListener("click", () => change(() => ask("/campaign/plan/approve", which())));
  $("plan-cancel").addEventListener("click", () => {
    if (sureToTakeBack(plan)) change(() => ask("/campaign/plan/cancel", which()), takenBack);
  });
  $("plan-approved-show").addEventListener("click", () => show(plan.approved));
  $("plan-day").addEventListener("input", showChoice);
  $("plan-which").addEventListener("change", ({ target }) => show(target.value));
  $("plan-hand-over").addEventListener("click", handOver);
  $("plan-download").addEventListener("click", async () => {
    try {
      const [day, format] = [$("plan-day").value, $("plan-form").value];
      await download(`/campaign/plan/list?${new URLSearchParams({ ...which(), day, format })}`,
        `contacts-${plan.plan_id}-${day}.${format}`);
      say("");
    } catch (error) { fail(error); }
  });
  for (const id of ["plan-channel", "plan-on", "plan-sort"]) $(id).addEventListener("input", contacts.restart);
  $("out-rule").addEventListener("input", out.restart);
  whenTyped($("plan-search"), contacts.restart);
  whenTyped($("out-search"), out.restart);
  return show;
}
