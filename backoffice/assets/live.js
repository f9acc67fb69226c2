// One sale, live: stock, arrivals, line, lag and law once a second, and the switches, each of which asks first.
import { ask, button, el, lang, number, put, say, span, t, time, Trouble } from "./page.js";
import * as session from "./session.js";
import { plot, stack } from "./chart.js";
import { badge, staff, trouble } from "./operator.js";

const LOOKS_MAX = 130;
const SILENCE_MS = 5_000;
const PAUSE_MS = 400;
const PAUSE_MS_MAX = 8_000;

export async function liveScreen(id) {
  const path = `/admin/v1/sales/${id}`;
  let sale = await staff(path);
  let looks = [];

  const state = el("span", {}, badge(sale.state));
  const notice = el("div");
  const switches = el("div", { class: "row", role: "group", "aria-label": t("switches") });
  const connection = el("span", { class: "said" }, t("connecting"));
  const tiles = Object.fromEntries(["left", "held", "sold", "accepted_s", "refused_s", "waiting", "lag", "law", "engines"].map((name) => [name, tile(name)]));
  tiles.waiting.li.hidden = !sale.waiting_room;
  const stocks = new Map(sale.items.map((item) => [item.sku, { item, cells: {}, bar: stack(item.title) }]));
  const arrivals = plot({ title: t("arrivals"), area: t("refused_s"), line: t("accepted_s") });
  const line = plot({ title: t("line"), area: t("waiting"), line: t("admitted_s") });
  line.figure.hidden = !sale.waiting_room;
  const lag = plot({ title: t("journal_lag"), area: t("events") });
  const codes = el("tbody");

  /** What staff can do now; what makes no sense is not shown. */
  function drawSwitches(now) {
    const shown = {
      draft: ["open", sale.schedule && !sale.schedule.done_at ? "unschedule" : "schedule", "edit"],
      scheduled: ["pause", "adjust", "close"], open: ["pause", "adjust", "close"], paused: ["resume", "adjust", "close"], recovering: ["close"], closed: [],
    }[now] ?? [];
    const doing = { open: () => verb("open"), pause: () => verb("pause"), resume: () => verb("resume"), close: () => verb("close"), schedule, unschedule: () => verb("unschedule"), adjust };
    const had = switches.contains(document.activeElement);
    const edit = () => el("a", { class: "button", href: `#/sales/${id}/edit`, "data-switch": "edit" }, t("edit"));
    switches.replaceChildren(...shown.map((word) => word === "edit" ? edit() : button(word, doing[word], {
      class: word === "close" || word === "pause" ? "stop" : ["open", "resume", "schedule"].includes(word) ? "go" : null, "data-switch": word,
    })));
    if (had) switches.firstElementChild?.focus();
  }

  async function done(what, send) {
    try {
      const answer = await send();
      notice.replaceChildren(el("p", { class: "note good" }, t(what)));
      say(t(what));
      sale = answer?.state ? answer : await staff(path);
      drawState(sale.state);
      drawAround();
    } catch (error) { notice.replaceChildren(trouble(error)); }
  }
  async function verb(word) {
    const yes = await ask({ title: `${t(word)}: ${sale.title}`, text: t(`${word}_text`), yes: t(word), danger: word === "close" || word === "pause" });
    if (yes) await done(`${word}_done`, () => staff(`${path}/${word}`, { method: "POST" }));
  }
  async function schedule() {
    const yes = await ask({ title: `${t("schedule")}: ${sale.title}`, text: t("schedule_text"), yes: t("schedule") });
    if (yes) await done("schedule_done", () => staff(`${path}/schedule`, { method: "POST", body: {} }));
  }
  async function adjust() {
    const answer = await ask({
      title: `${t("adjust")}: ${sale.title}`, text: t("adjust_text"), yes: t("adjust"),
      fields: [
        { name: "sku", label: t("sku"), options: sale.items.map((item) => item.sku) },
        { name: "by", label: t("by"), attributes: { type: "number", step: "1", placeholder: "-5" } },
        { name: "reason", label: t("reason"), attributes: { maxlength: "200" } },
      ],
    });
    if (!answer) return;
    // One key for one decision, repeated until there is an answer: a person who asked anew would change the stock twice.
    const key = crypto.randomUUID();
    const waits = () => notice.replaceChildren(el("p", { class: "note warn" }, t("adjust_again")));
    await done("adjust_done", () => again(() => staff(`${path}/adjust`, {
      method: "POST", headers: { "idempotency-key": key }, body: { ...answer, by: Number(answer.by) },
    }), waits));
  }

  function drawState(now) {
    if (state.textContent !== t(`state_${now}`)) {
      state.replaceChildren(badge(now));
      say(`${sale.title}: ${t(`state_${now}`)}`);
    }
    drawSwitches(now);
  }

  function drawLook(look) {
    const before = looks.at(-1);
    looks = [...looks, look].slice(-LOOKS_MAX);
    if (!before || before.state !== look.state) {
      drawState(look.state);
      if (before) staff(path).then((fresh) => { sale = fresh; drawAround(); }).catch(() => {});
    }
    const sum = (field) => look.items.reduce((all, item) => all + item[field], 0);
    for (const field of ["left", "held", "sold"]) tiles[field].set(look.items.length ? number(sum(field)) : "–");
    tiles.accepted_s.set(number(look.rates.accepted_per_second));
    tiles.refused_s.set(number(look.rates.refused_per_second));
    tiles.waiting.set(look.line ? number(look.line.waiting) : "–");
    tiles.lag.set(look.journal_lag ? span(look.journal_lag.seconds) : "–", look.journal_lag ? t("n_events", { n: number(look.journal_lag.events) }) : "");
    const off = look.conservation_difference;
    tiles.law.set(off === null ? "–" : off === 0 ? t("law_holds") : t("law_broken", { n: number(off) }), "", off === null ? "" : off === 0 ? "good" : "bad");
    tiles.engines.set(number(look.engines), "", look.engines ? "" : "bad");
    for (const item of look.items) drawStock(item);
    const step = (p, i) => i === 0 ? 0 : Math.max(0, (p.line?.admitted ?? 0) - (looks[i - 1].line?.admitted ?? 0)) / Math.max(0.5, (p.at_ms - looks[i - 1].at_ms) / 1000);
    arrivals.draw(looks.map((p) => ({ at_ms: p.at_ms, a: p.rates.refused_per_second, l: p.rates.accepted_per_second })));
    line.draw(looks.map((p, i) => ({ at_ms: p.at_ms, a: p.line?.waiting ?? 0, l: Math.round(step(p, i)) })));
    lag.draw(looks.map((p) => ({ at_ms: p.at_ms, a: p.journal_lag?.events ?? 0 })));
    drawCodes(look.answers);
  }

  function drawStock(item) {
    const row = stocks.get(item.sku);
    if (!row) return;
    for (const field of ["stocked", "left", "held", "sold"]) put(row.cells[field], number(item[field]));
    row.bar.draw([["left", item.left], ["held", item.held], ["sold", item.sold]], item.stocked,
      ["left", "held", "sold"].map((field) => `${t(field)} ${number(item[field])}`).join(", "));
  }

  function drawCodes(answers) {
    const all = Object.entries(answers).sort((a, b) => b[1] - a[1]);
    const most = Math.max(1, ...all.map(([, n]) => n));
    const known = [...codes.children].map((row) => row.dataset.code).join();
    if (known !== all.map(([code]) => code).join()) {
      codes.replaceChildren(...all.map(([code]) => {
        const bar = stack(t(`code_${code}`));
        const row = el("tr", { "data-code": code }, el("th", { scope: "row" }, t(`code_${code}`)), el("td", { class: "n" }), el("td", { class: "bar" }, bar.bar));
        row.draw = bar.draw;
        return row;
      }));
    }
    all.forEach(([, n], i) => {
      const row = codes.children[i];
      put(row.children[1], number(n));
      row.draw([["bar-fill", n]], most, number(n));
    });
  }

  const around = el("div");
  /** What is wrong with it, and when it opens: changes seldom. */
  async function drawAround() {
    const found = ["draft", "scheduled"].includes(sale.state) ? (await staff(`${path}/problems`)).problems : [];
    const schedule = sale.schedule && !sale.schedule.done_at
      ? el("p", { class: "note" }, t("scheduled_for"), " ", time(sale.schedule.publish_at), sale.schedule.problem ? ` · ${sale.schedule.problem}` : "") : null;
    around.replaceChildren(...[schedule,
      found.length ? el("section", { "aria-labelledby": "problems" }, el("h2", { id: "problems" }, t("problems")),
        el("ul", { class: "plain" }, found.map((p) => el("li", {},
          el("strong", { class: p.severity === "error" ? "bad" : "warn" }, t(`severity_${p.severity}`)), " ",
          p.text[lang()], p.pointer ? el("span", { class: "said mono" }, ` ${p.pointer}`) : "")))) : null].filter(Boolean));
  }

  const fields = ["stocked", "left", "held", "sold"];
  const stockRows = [...stocks.values()].map((row) => {
    for (const field of fields) row.cells[field] = el("td", { class: "n", "data-name": t(field) }, "–");
    return el("tr", {}, el("th", { scope: "row" }, row.item.title, el("div", { class: "said mono" }, row.item.sku)),
      ...fields.map((field) => row.cells[field]), el("td", { class: "bar" }, row.bar.bar));
  });
  const key = el("div", { class: "key" }, ["left", "held", "sold"].map((f) => el("span", {}, el("i", { class: f }), t(f))));
  const parts = [
    el("p", { class: "said" }, el("a", { href: "#/" }, t("sales")), ` · ${sale.id}`),
    el("h1", {}, sale.title, " "), el("p", { class: "row" }, state, el("span", { class: "said" }, time(sale.opens_at), " – ", time(sale.closes_at)), connection),
    switches, notice, around,
    el("ul", { class: "tiles" }, Object.values(tiles).map((tile) => tile.li)),
    el("h2", {}, t("stock")), key,
    el("div", { class: "scroll" }, el("table", { class: "stacked" }, el("caption", { class: "unseen" }, t("stock")),
      el("thead", {}, el("tr", {}, ["sku", ...fields, "share"].map((word, i) => el("th", { scope: "col", class: i > 0 && i < 5 ? "n" : null }, t(word))))),
      el("tbody", {}, stockRows))),
    el("h2", {}, t("last_minutes")),
    el("div", { class: "pair" }, arrivals.figure, line.figure, lag.figure),
    el("h2", {}, t("answers")),
    el("table", {}, el("caption", {}, t("answers_text")), el("thead", { class: "unseen" }, el("tr", {}, ["answer", "count", "share"].map((w) => el("th", { scope: "col" }, t(w))))), codes),
    el("p", {}, el("a", { href: `#/audit/${encodeURIComponent(`sale:${id}`)}` }, t("audit_of_sale")), " · ", el("a", { href: `/sales/${id}` }, t("buyers_page"))),
  ];
  drawSwitches(sale.state);
  await drawAround();
  const leave = watch(`${path}/events`, drawLook, (word) => {
    put(connection, t(word));
    connection.className = word === "live" ? "said good" : "said warn";
  });
  return { parts, leave };
}

function tile(name) {
  const [value, note] = [el("strong", {}, "–"), el("span")];
  const li = el("li", { "data-tile": name }, el("span", {}, t(name)), value, note);
  return { li, set(text, more = "", kind = "") { put(value, text); put(note, more); value.className = kind; } };
}

/** Repeats what the network, or a server in trouble, left without an answer, and says that it does. */
async function again(send, waits) {
  for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
    try { return await send(); } catch (error) {
      const passes = error instanceof Trouble && (error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500);
      if (!passes) throw error;
      waits();
      await new Promise((resolve) => setTimeout(resolve, Math.max(pause, error.wait * 1000)));
    }
  }
}

/** Reads the events, and comes back whenever the stream ends; returns what ends it for good. Not EventSource, which can send no token. */
function watch(path, onLook, onConnection) {
  const ended = new AbortController();
  let last = "";
  (async () => {
    while (!ended.signal.aborted) {
      const silence = new AbortController();
      const signal = AbortSignal.any([ended.signal, silence.signal]);
      let timer = setTimeout(() => silence.abort(), SILENCE_MS);
      try {
        const headers = { authorization: `Bearer ${await session.token()}`, ...(last ? { "last-event-id": last } : {}) };
        const response = await fetch(path, { headers, signal, cache: "no-store" });
        // A token that is over: the call says so, and leads back to the sign-in.
        if (response.status === 401) await staff(path.replace(/\/events$/, ""));
        if (!response.ok) throw new Error(response.status);
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENCE_MS);
          const events = (text + value).split("\n\n");
          text = events.pop();
          for (const event of events) {
            const field = (name) => event.split("\n").find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2);
            if (field("event") === "look") {
              last = field("id") ?? last;
              onLook(JSON.parse(field("data")));
              onConnection("live");
            } else if (field("event") === "trouble") onConnection("live_trouble");
          }
        }
      } catch { /* said below, and tried again */ }
      clearTimeout(timer);
      if (ended.signal.aborted) return;
      onConnection("reconnecting");
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  })();
  return () => ended.abort();
}
