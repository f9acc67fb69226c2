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

/// The page that gives an account another address with this token.
pub(crate) fn change_link(url: &PublicUrl, token: &Secret) -> String {
    url.with(&format!("/account/email?token={}", token.expose()))
}

/// The buyer's page of an order.
pub(crate) fn order_link(url: &PublicUrl, order: &Secret) -> String {
    url.with(&format!("/orders#{}", order.expose()))
}

/// `token` is that of the mail's link, where its kind has one.
pub(crate) fn text(kind: Kind, language: Language, url: &PublicUrl, token: &Secret) -> Text {
    let link = match kind {
        Kind::ConfirmEmail => confirm_link(url, token),
        Kind::ResetPassword => reset_link(url, token),
        Kind::ChangeEmail => change_link(url, token),
        Kind::HasAccount | Kind::PasswordChanged | Kind::EmailInUse => {
            url.with("/account/password")
        }
        Kind::EmailChanged => url.with("/account/email"),
        Kind::OrderPaid
        | Kind::OrderCancelled
        | Kind::OrderSettledByHand
        | Kind::OrderRefunded
        | Kind::OrderShipped
        | Kind::OrderDelivered => order_link(url, token),
    };
    let [subject, before, after] = match language {
        Language::Korean => korean(kind),
        Language::English => english(kind),
    };
    let body = format!("{before}\n\n{link}\n\n{after}");
    Text {
        subject,
        body: format!("{}\n", body.trim_end()),
    }
}

/// Subject, what stands before the link, and what after it.
fn korean(kind: Kind) -> [&'static str; 3] {
    match kind {
        Kind::ConfirmEmail => [
            "이메일 주소를 확인해 주세요",
            "이 이메일 주소로 회원 가입을 요청받았습니다. 24시간 안에 아래 링크를 열고 확인해 주세요.",
            "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 확인 전에는 계정이 만들어지지 않습니다.",
        ],
        Kind::HasAccount => [
            "이미 계정이 있습니다",
            "이 이메일 주소로 회원 가입을 요청받았지만, 이미 계정이 있습니다. 로그인하시거나, 비밀번호를 잊으셨다면 아래 페이지에서 재설정해 주세요.",
            "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 바뀐 것은 없습니다.",
        ],
        Kind::ResetPassword => [
            "비밀번호 재설정",
            "비밀번호 재설정을 요청받았습니다. 1시간 안에 아래 링크를 열고 새 비밀번호를 정해 주세요.",
            "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 비밀번호는 그대로입니다.",
        ],
        Kind::PasswordChanged => [
            "비밀번호가 변경되었습니다",
            "비밀번호가 변경되어 모든 기기에서 로그아웃되었습니다. 직접 변경하지 않으셨다면 바로 아래 페이지에서 재설정해 주세요.",
            "",
        ],
        Kind::ChangeEmail => [
            "새 이메일 주소를 확인해 주세요",
            "계정의 이메일 주소를 이 주소로 바꾸는 요청을 받았습니다. 24시간 안에 아래 링크를 열고 확인해 주세요.",
            "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 바뀌는 것은 없습니다.",
        ],
        Kind::EmailInUse => [
            "이미 계정이 있습니다",
            "다른 계정의 이메일 주소를 이 주소로 바꾸는 요청을 받았지만, 이미 이 주소로 된 계정이 있습니다. 그 계정의 비밀번호를 잊으셨다면 아래 페이지를 봐 주세요.",
            "요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다. 바뀐 것은 없습니다.",
        ],
        Kind::EmailChanged => [
            "이메일 주소가 변경되었습니다",
            "계정의 이메일 주소가 다른 주소로 변경되었습니다. 이제 이 주소로는 로그인하실 수 없습니다. 자세한 안내는 아래 페이지에 있습니다.",
            "직접 변경하지 않으셨다면 바로 판매자에게 알려 주세요.",
        ],
        Kind::OrderPaid => [
            "주문이 완료되었습니다",
            "결제가 완료되어 주문이 확정되었습니다. 주문 내용과 진행 상황은 아래 페이지에서 보실 수 있습니다.",
            "배송 전에는 같은 페이지에서 취소하실 수 있습니다.",
        ],
        Kind::OrderCancelled => [
            "주문이 취소되었습니다",
            "주문이 취소되었습니다. 결제된 금액은 없으며, 사용하신 포인트와 쿠폰은 돌려 드렸습니다. 이유는 아래 페이지에 있습니다.",
            "",
        ],
        Kind::OrderSettledByHand => [
            "주문이 취소되어 결제 금액을 돌려 드렸습니다",
            "주문이 취소되었습니다. 결제된 금액은 판매자가 결제 대행사에서 직접 돌려 드렸으며, 사용하신 포인트와 쿠폰도 돌려 드렸습니다. 주문 내용은 아래 페이지에 있습니다.",
            "입금까지 며칠 걸릴 수 있습니다. 입금이 확인되지 않으면 판매자에게 알려 주세요.",
        ],
        Kind::OrderRefunded => [
            "환불되었습니다",
            "주문이 환불되었습니다. 돌려 드린 금액과 포인트는 아래 페이지에서 보실 수 있습니다.",
            "결제하신 수단에 따라 입금까지 며칠 걸릴 수 있습니다.",
        ],
        Kind::OrderShipped => [
            "상품이 발송되었습니다",
            "주문하신 상품이 발송되었습니다. 택배사와 운송장 번호는 아래 페이지에 있습니다.",
            "",
        ],
        Kind::OrderDelivered => [
            "상품이 배송되었습니다",
            "주문하신 상품이 배송되었습니다. 주문 내용은 아래 페이지에 있습니다.",
            "받지 못하셨다면 판매자에게 알려 주세요.",
        ],
    }
}

/// The same.
fn english(kind: Kind) -> [&'static str; 3] {
    match kind {
        Kind::ConfirmEmail => [
            "Please confirm your e-mail address",
            "Somebody, you we hope, signed up with this address. Open this link within 24 hours to confirm it:",
            "If it was not you, do nothing: without the confirmation there will be no account.",
        ],
        Kind::HasAccount => [
            "You have an account already",
            "Somebody, you we hope, signed up with this address, which has an account already. Sign in, or ask for a new password here:",
            "If it was not you, do nothing: nothing was changed.",
        ],
        Kind::ResetPassword => [
            "Set a new password",
            "Somebody, you we hope, asked for a new password. Open this link within an hour to choose one:",
            "If it was not you, do nothing: your password stays as it is.",
        ],
        Kind::PasswordChanged => [
            "Your password was changed",
            "Your password was changed, and you were signed out everywhere. If it was not you, set a new one here at once:",
            "",
        ],
        Kind::ChangeEmail => [
            "Please confirm your new e-mail address",
            "Somebody, you we hope, wants this address for an account of ours. Open this link within 24 hours to confirm it:",
            "If it was not you, do nothing: nothing will be changed.",
        ],
        Kind::EmailInUse => [
            "You have an account already",
            "Somebody, you we hope, wants this address for another account, but it has one already. If you forgot the password of that one, look here:",
            "If it was not you, do nothing: nothing was changed.",
        ],
        Kind::EmailChanged => [
            "Your e-mail address was changed",
            "Your account has another e-mail address now, and is signed in to with that one. How that comes about:",
            "If it was not you, tell the shop at once.",
        ],
        Kind::OrderPaid => [
            "Your order is paid",
            "Your payment has arrived, and what you ordered is yours. The order, and how it goes on:",
            "Until it is sent you can cancel it there.",
        ],
        Kind::OrderCancelled => [
            "Your order was cancelled",
            "Your order was cancelled. Nothing was charged, and the points and the coupon that you used are yours again. Why, is here:",
            "",
        ],
        Kind::OrderSettledByHand => [
            "Your order was cancelled and your payment given back",
            "Your order was cancelled. What you had paid was given back by hand, by somebody of the shop, and the points and the coupon that you used are yours again. The order is here:",
            "It may take your bank some days to show it. If it does not, tell the shop.",
        ],
        Kind::OrderRefunded => [
            "Your order was refunded",
            "Money or points of your order have gone back to you. How much, is here:",
            "It may take your bank some days to show it.",
        ],
        Kind::OrderShipped => [
            "Your order is on its way",
            "What you ordered has been sent. Its carrier and tracking number are here:",
            "",
        ],
        Kind::OrderDelivered => [
            "Your order was delivered",
            "What you ordered has been delivered. The order is here:",
            "If you have not got it, tell the shop.",
        ],
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
                let has_token = matches!(
                    kind,
                    Kind::ConfirmEmail | Kind::ResetPassword | Kind::ChangeEmail
                );
                assert_eq!(text.body.contains("?token=t0ken"), has_token, "{kind:?}");
                let page = if kind.is_of_order() {
                    "orders#t0ken"
                } else {
                    "account/"
                };
                assert_eq!(
                    text.body
                        .matches(&format!("https://shop.example/{page}"))
                        .count(),
                    1
                );
                assert_eq!(text.body.matches("://").count(), 1);
            }
            assert_eq!(Kind::of_word(kind.word()), Some(kind));
        }
    }
}
