// What somebody without an account, or without its password, does: ask for a mail. What is behind its link are pages of their own, without script.
import { button, call, el, lang, remember, remembered, t } from "./page.js";

/** A form that asks for a mail; always told the same, whether or not there is an account. `back` leads to the sign-in. */
function asking({ title, text, fields, ask, back }) {
  const error = el("p", { class: "error", role: "alert" });
  const section = el("section", { class: "narrow", "aria-labelledby": "asking" });
  async function send(event) {
    event.preventDefault();
    error.textContent = "";
    const data = Object.fromEntries(new FormData(event.target));
    try {
      await ask(data);
      remember("email", data.email);
      section.replaceChildren(el("h1", { id: "asking", tabindex: "-1" }, t("check_mail")),
        el("p", { class: "note good", role: "status" }, t("check_mail_text", { email: data.email })), el("p", {}, button("to_sign_in", back)));
      section.querySelector("h1").focus();
    } catch (trouble) { error.textContent = trouble.text ?? t("code_unavailable"); }
  }
  section.append(el("h1", { id: "asking" }, t(title)), el("p", { class: "said" }, t(text)), error,
    el("form", { onsubmit: send }, fields, el("p", {}, el("button", { class: "go wide" }, t("send_mail")))),
    el("p", {}, button("to_sign_in", back)));
  return section;
}

const email = () => [
  el("label", { for: "email" }, t("email")),
  el("input", { id: "email", name: "email", type: "email", autocomplete: "username", maxlength: 254, required: true, value: remembered("email") }),
];

export const signUpForm = (back) => asking({
  title: "sign_up", text: "sign_up_text", back,
  fields: [...email(),
    el("label", { for: "name" }, t("your_name")),
    el("input", { id: "name", name: "name", autocomplete: "name", maxlength: 100, required: true })],
  ask: (data) => call("/v1/sign-ups", { method: "POST", body: { email: data.email, name: data.name, language: lang() } }),
});

export const resetForm = (back) => asking({
  title: "forgot", text: "forgot_text", back, fields: email(),
  ask: (data) => call("/v1/password-resets", { method: "POST", body: { email: data.email } }),
});
