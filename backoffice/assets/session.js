// Who is at the page. A sign-in by e-mail address and password keeps itself fresh; a token that somebody else issued is good as long as it says.
import { resetForm, signUpForm } from "./account.js";
import { button, call, el, forgetEach, remembered, remember, t, Trouble } from "./page.js";

const KEY = "doorbuster-session";
/** A lock that comes later than this was another tab's, which has used up our refresh token since. */
const OWN_MS = 5_000;
let session = read();
let refreshing = null;
let owns = false;
own();

/** For this tab alone: closing it forgets. */
function read() {
  try { return JSON.parse(sessionStorage.getItem(KEY)) ?? null; } catch { return null; }
}
function keep(next) {
  session = next;
  // An order that is on its way has what stands for the card in it: it stays with nobody who has left.
  if (!next) forgetEach("doorbuster-order-", (sent) => sent.includes('"body"'));
  try { next ? sessionStorage.setItem(KEY, JSON.stringify(next)) : sessionStorage.removeItem(KEY); } catch { /* for as long as the page lives */ }
}

/** A tab that was duplicated has a copy of the refresh token, and one that is used twice counts as stolen. Whichever tab has the lock
 *  refreshes; the other goes on until its access token ends, and then signs in for itself. */
function own() {
  owns = !navigator.locks;
  if (!session?.refresh || owns) return;
  const [id, asked] = [session.id, performance.now()];
  navigator.locks.request(`doorbuster-session-${id}`, () => {
    if (session?.id === id && performance.now() - asked > OWN_MS) keep({ ...session, refresh: null });
    if (session?.id === id) owns = true;
    return new Promise(() => {});
  }).catch(() => { owns = true; });
}

/** A shop hands its own users over in the fragment, which no server sees; it is taken out of the address at once. Where somebody is signed in,
 *  `replaces` says whether another may take the place. */
export function takeHandedOver({ replaces }) {
  const handed = /^#token=([\w.-]+)$/.exec(location.hash);
  if (!handed) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    const next = ofToken(handed[1]);
    if (replaces || !session || session.user === next.user) keep(next);
  } catch { /* no token: as if there were none */ }
}

/** What a token says; the server checks it, this only reads it. */
function claims(token) {
  try {
    const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(text);
  } catch { return null; }
}
function ofToken(token) {
  const said = claims(token);
  if (!said?.exp) throw new Trouble("unauthorized", t("code_unauthorized"));
  return { access: token, refresh: null, user: said.sub, name: said.sub, role: said.role, until: said.exp * 1000 };
}
function ofSignIn(answer) {
  const until = Date.now() + answer.expires_in * 1000;
  const said = claims(answer.access_token);
  // What is kept for somebody is kept under the id: names change, and two may have the same.
  return { access: answer.access_token, refresh: answer.refresh_token, id: answer.session_id, user: said.sub, name: answer.user?.name || said.sub, role: said.role, until };
}

export const isSignedIn = () => session !== null;
export const user = () => session?.user ?? "";
export const name = () => session?.name ?? "";
export const role = () => session?.role ?? "";
export const isStaff = () => ["operator", "admin"].includes(role());
/** Everybody who works here; finance sees to orders alone. */
export const isOffice = () => isStaff() || role() === "finance";

/** A token that is good for now. */
export async function token() {
  if (!session) throw new Trouble("unauthorized", t("code_unauthorized"), { status: 401 });
  if (session.refresh && owns && session.until - Date.now() < 60_000) {
    // One at a time: a refresh token is good for one refresh.
    refreshing ??= call("/v1/sessions/refresh", { method: "POST", body: { refresh_token: session.refresh } })
      .then((answer) => keep(ofSignIn(answer)))
      .catch((trouble) => { if (trouble.status === 401) keep(null); throw trouble; })
      .finally(() => { refreshing = null; });
    await refreshing;
  }
  return session.access;
}

export async function signOut() {
  const refresh = session?.refresh;
  keep(null);
  if (refresh) await call("/v1/sessions/log-out", { method: "POST", body: { refresh_token: refresh } }).catch(() => {});
}
export const forget = () => keep(null);

/** The form; `done` is called when somebody has signed in. */
export function signInForm(done) {
  const error = el("p", { class: "error", role: "alert" });
  const tried = (way) => async (event) => {
    event.preventDefault();
    error.textContent = "";
    const data = Object.fromEntries(new FormData(event.target));
    try { await way(data); done(); } catch (trouble) { error.textContent = trouble.text ?? t("code_unauthorized"); }
  };
  const byPassword = tried(async ({ email, password }) => {
    keep(ofSignIn(await call("/v1/sessions", { method: "POST", body: { email, password } })));
    own();
    remember("email", email);
  });
  const byToken = tried(async (data) => {
    const next = ofToken(data.token.trim());
    // Any call that needs a token says whether it is one.
    await call("/v1/me/reservations?limit=1", { token: next.access });
    keep(next);
  });
  const instead = (form) => () => section.replaceWith(form(done));
  const section = el("section", { class: "narrow", "aria-labelledby": "sign-in" },
    el("h1", { id: "sign-in" }, t("sign_in")), error,
    el("form", { onsubmit: byPassword },
      el("label", { for: "email" }, t("email")),
      el("input", { id: "email", name: "email", type: "email", autocomplete: "username", required: true, value: remembered("email") }),
      el("label", { for: "password" }, t("password")),
      el("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true }),
      el("p", {}, el("button", { class: "go wide" }, t("sign_in")))),
    el("p", { class: "row" }, button("sign_up", instead(signUpForm)), button("forgot", instead(resetForm))),
    el("details", {},
      el("summary", {}, t("with_token")),
      el("form", { onsubmit: byToken },
        el("label", { for: "token" }, t("token")),
        el("input", { id: "token", name: "token", autocomplete: "off", spellcheck: "false", required: true }),
        el("p", {}, el("button", { class: "wide" }, t("sign_in"))))));
  return section;
}
