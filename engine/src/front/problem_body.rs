//! The body of a refusal (RFC 9457), in its buyer's language.

use std::cell::RefCell;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::problem::{Language, Refusal};
use super::request_id::RequestId;
use super::spare;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: ProblemType<'a>,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

/// The URN of a code.
struct ProblemType<'a>(&'a str);

impl Serialize for ProblemType<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("urn:doorbuster:problem:{}", self.0))
    }
}

/// Most who are refused are refused for the same reason, so all but the request's id is kept of the last problem.
pub(super) fn of(
    refusal: &Refusal,
    status: u16,
    request_id: &RequestId,
    language: Language,
) -> Bytes {
    const END: &[u8] = b"\"}";
    /// A problem without its end: the request's id comes last.
    type Last = Option<(Refusal, u16, Language, Bytes)>;
    thread_local! {
        static LAST: RefCell<Last> = const { RefCell::new(None) };
    }
    let id = request_id.as_str();
    if !comes_again(refusal) {
        return written(refusal, status, id, language);
    }
    LAST.with_borrow_mut(|last| {
        let is_last = matches!(last, Some((of, with, read_in, _)) if of == refusal && *with == status && *read_in == language);
        if !is_last {
            let mut begun = written(refusal, status, "", language);
            begun.truncate(begun.len() - END.len());
            *last = Some((refusal.clone(), status, language, begun));
        }
        let begun = last.as_ref().map_or(&[][..], |(.., begun)| begun);
        // Ids are hexadecimal digits and a dash, which JSON writes as they are.
        [begun, id.as_bytes(), END].concat().into()
    })
}

/// Whether the next one refused may be told the same: not where the detail is about this request alone, and may be long.
fn comes_again(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::Invalid { .. } | Refusal::RateLimited { .. } | Refusal::TooEarly { .. }
    )
}

fn written(refusal: &Refusal, status: u16, request_id: &str, language: Language) -> Bytes {
    let code = refusal.code();
    spare::json(&Problem {
        r#type: ProblemType(code),
        title: refusal.title(language),
        status,
        code,
        detail: &refusal.detail(),
        request_id,
    })
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::SkuId;
    use serde_json::Value;
    use uuid::Uuid;

    use super::super::request_id::RequestIds;
    use super::*;

    #[test]
    fn what_is_kept_of_one_problem_is_not_told_of_another() {
        let ids = RequestIds::new(Uuid::from_u128(1));
        let sku = SkuId::parse("tee").unwrap();
        let quoted = Refusal::invalid("a \"quoted\"\n detail");
        let short = |left| Refusal::SoldOut {
            sku: sku.clone(),
            left,
        };
        for refusal in [short(0), short(0), short(2), quoted, Refusal::Closed] {
            for (language, status) in [
                (Language::English, 409),
                (Language::Korean, 409),
                (Language::Korean, 409),
                (Language::Korean, 503),
            ] {
                let id = ids.next();
                let told: Value = serde_json::from_slice(&of(&refusal, status, &id, language))
                    .expect("a problem is JSON");
                let code = refusal.code();
                let told_of = (
                    &told["code"],
                    &told["title"],
                    &told["detail"],
                    &told["request_id"],
                );
                assert_eq!(
                    told_of,
                    (
                        &code.into(),
                        &refusal.title(language).into(),
                        &(*refusal.detail()).into(),
                        &id.as_str().into()
                    )
                );
                assert_eq!(told["status"], status);
                assert_eq!(told["type"], format!("urn:doorbuster:problem:{code}"));
            }
        }
    }
}
