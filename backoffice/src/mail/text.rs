//! What mails say, in Korean and English. Pure. Called by `sender`.

use super::Kind;
use crate::accounts::config::PublicUrl;
use crate::accounts::secret::Secret;
use crate::language::Language;

/// Subject and body.
pub(crate) struct Text {
    pub(crate) subject: &'static str,
    pub(crate) body: String,
}

/// The page that confirms an address with this token.
pub(crate) fn confirm_link(url: &PublicUrl, token: &Secret) -> String {
    url.with(&format!("/account/confirm?token={}", token.expose()))
}

/// The page that sets a password with this token.
pub(crate) fn reset_link(url: &PublicUrl, token: &Secret) -> String {
    url.with(&format!("/account/password?token={}", token.expose()))
}

/// `token` is that of the mail's link, where its kind has one.
pub(crate) fn text(kind: Kind, language: Language, url: &PublicUrl, token: &Secret) -> Text {
    let (subject, before, link, after) = match kind {
        Kind::ConfirmAddress => (
            language.pick("이메일 주소를 확인해 주세요", "Please confirm your e-mail address"),
            language.pick(
                "이 이메일 주소로 회원 가입을 요청받았습니다. 24시간 안에 아래 링크를 열고 확인해 주세요.",
                "Somebody, you we hope, signed up with this address. Open this link within 24 hours to confirm it:",
            ),
            confirm_link(url, token),
            language.pick(
                "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 확인 전에는 계정이 만들어지지 않습니다.",
                "If it was not you, do nothing: without the confirmation there will be no account.",
            ),
        ),
        Kind::HasAccount => (
            language.pick("이미 계정이 있습니다", "You have an account already"),
            language.pick(
                "이 이메일 주소로 회원 가입을 요청받았지만, 이미 계정이 있습니다. 로그인하시거나, 비밀번호를 잊으셨다면 아래 페이지에서 재설정해 주세요.",
                "Somebody, you we hope, signed up with this address, which has an account already. Sign in, or ask for a new password here:",
            ),
            url.with("/account/password"),
            language.pick(
                "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 바뀐 것은 없습니다.",
                "If it was not you, do nothing: nothing was changed.",
            ),
        ),
        Kind::ResetPassword => (
            language.pick("비밀번호 재설정", "Set a new password"),
            language.pick(
                "비밀번호 재설정을 요청받았습니다. 1시간 안에 아래 링크를 열고 새 비밀번호를 정해 주세요.",
                "Somebody, you we hope, asked for a new password. Open this link within an hour to choose one:",
            ),
            reset_link(url, token),
            language.pick(
                "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 비밀번호는 그대로입니다.",
                "If it was not you, do nothing: your password stays as it is.",
            ),
        ),
        Kind::PasswordChanged => (
            language.pick("비밀번호가 변경되었습니다", "Your password was changed"),
            language.pick(
                "비밀번호가 변경되어 모든 기기에서 로그아웃되었습니다. 직접 변경하지 않으셨다면 바로 아래 페이지에서 재설정해 주세요.",
                "Your password was changed, and you were signed out everywhere. If it was not you, set a new one here at once:",
            ),
            url.with("/account/password"),
            "",
        ),
    };
    let body = format!("{before}\n\n{link}\n\n{after}");
    Text {
        subject,
        body: format!("{}\n", body.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_has_a_link_of_ours_in_both_languages_and_a_token_only_where_it_must() {
        let url: PublicUrl = "https://shop.example".parse().unwrap();
        let token = Secret::new("t0ken");
        for kind in Kind::ALL {
            let [korean, english] = [Language::Korean, Language::English]
                .map(|language| text(kind, language, &url, &token));
            assert_ne!(korean.subject, english.subject);
            for text in [korean, english] {
                let has_token = matches!(kind, Kind::ConfirmAddress | Kind::ResetPassword);
                assert_eq!(text.body.contains("?token=t0ken"), has_token, "{kind:?}");
                assert_eq!(
                    text.body.matches("https://shop.example/account/").count(),
                    1
                );
                assert_eq!(text.body.matches("://").count(), 1);
            }
            assert_eq!(Kind::of_word(kind.word()), Some(kind));
        }
    }
}
