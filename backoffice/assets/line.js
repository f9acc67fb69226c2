// A place in the line: joined once, kept in this browser, told as honestly as the engine knows it.
import { button, call, el, number, put, remember, remembered, say, span, svg, t, time } from "./page.js";
import * as session from "./session.js";

const RETRY_MS = 3_000;

export function lineOf({ sale, url, box, onChange }) {
  /** Of this user: another one at this browser has a place of his own. */
  const key = () => `doorbuster-ticket-${sale}-${session.user()}`;
  let place = null;
  let busy = false;
  let timer = 0;
  let trouble = "";
  let told = "";
  let first = 0;

  const ticket = () => remembered(key());
  const isAdmitted = () => place?.state === "admitted";

  function take(answer) {
    if (answer.ticket) remember(key(), answer.ticket);
    if (place && place.estimate !== answer.estimate && answer.state === "waiting") {
      told = t("estimate_changed");
      say(told);
    }
    if (place?.state !== answer.state) say(t(`line_${answer.state}`));
    first = Math.max(first, answer.position ?? 0);
    place = answer;
    trouble = "";
    if (["waiting", "admitted"].includes(answer.state)) again(answer.poll_after_ms);
    onChange();
  }

  function failed(error) {
    trouble = error.text ?? t("code_unavailable");
    // The engine knows nobody of this number any more, or it is another user's: join anew.
    if (["forbidden", "invalid_request"].includes(error.code)) remember(key(), null);
    if (error.code === "sold_out" || error.code === "closed") place = { state: error.code };
    else if (error.status !== 401) again(Math.max(RETRY_MS, (error.wait ?? 0) * 1000));
    onChange();
  }

  function again(ms) {
    clearTimeout(timer);
    timer = setTimeout(poll, ms);
  }

  async function send(path, method) {
    if (busy) return;
    busy = true;
    try {
      const headers = ticket() ? { "queue-ticket": ticket() } : {};
      take(await call(path, { method, headers, token: await session.token() }));
    } catch (error) { failed(error); } finally { busy = false; }
  }
  const join = () => send(url, "POST");
  const poll = () => (ticket() ? send(`${url}/current`, "GET") : null);

  const parts = {
    title: el("h2", { id: "line-title" }, t("line")),
    place: el("p", { class: "place" }), words: el("p"), more: el("p", { class: "said" }), trouble: el("p", { class: "note warn", hidden: true }),
    bar: svg("svg", { class: "progress", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "rest", width: 100, height: 1 }), svg("rect", { width: 0, height: 1 })),
    join: button("join", join, { class: "go", "data-join": "" }),
  };

  function draw({ wanted, opens, phase }) {
    box.hidden = !wanted || !session.isSignedIn();
    if (box.hidden) return;
    if (!box.firstChild) box.append(parts.title, parts.place, parts.bar, parts.words, parts.more, parts.trouble, parts.join);
    const waits = place?.state === "waiting";
    parts.join.hidden = waits || isAdmitted() || ["sold_out", "closed"].includes(place?.state);
    parts.trouble.hidden = !trouble;
    put(parts.trouble, trouble);
    parts.place.hidden = !waits || place.position === null;
    parts.bar.style.display = waits && first > 1 && place.position !== null ? "" : "none";
    if (!place) {
      put(parts.words, phase === "scheduled" ? t("join_early") : t("join_text"));
      return put(parts.more, "");
    }
    if (!waits) {
      parts.words.replaceChildren(t(`line_${place.state}`), " ", isAdmitted() && place.admitted_until ? t("until") : "", " ", isAdmitted() && place.admitted_until ? time(place.admitted_until) : "");
      return put(parts.more, "");
    }
    if (place.position === null) {
      parts.words.replaceChildren(t("drawn_later"), " ", time(opens));
      return put(parts.more, t("your_number", { n: number(place.number) }));
    }
    put(parts.place, number(place.position));
    parts.bar.lastChild.setAttribute("width", (100 * (1 - place.position / Math.max(first, 1))).toFixed(1));
    const eta = place.eta_seconds;
    put(parts.words, eta === null ? t("eta_unknown")
      : eta.low === eta.high ? t("eta_one", { time: span(eta.high) }) : t("eta_range", { low: span(eta.low), high: span(eta.high) }));
    const more = [told, place.units_may_come_back ? t("may_come_back") : "", place.odds !== null && !place.units_may_come_back ? t("odds", { n: number(Math.round(place.odds * 100)) }) : "", t("keep_open")];
    put(parts.more, more.filter(Boolean).join(" "));
  }

  return { ticket, isAdmitted, draw, start: () => { if (ticket()) poll(); }, };
}
