//! Counts answers. A metric is looked up by its labels once per thread and combination, because looking costs more than
//! counting; the combinations are those of routes and codes, so there are few, and the common ones come first.

use std::cell::RefCell;
use std::time::Duration;

use hyper::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

use crate::metrics as names;

type Combination = (&'static str, StatusCode, &'static str);

thread_local! {
    static KNOWN: RefCell<Vec<(Combination, Counter, Histogram)>> = RefCell::default();
}

/// One answer to `route` after so much time; `code` is its problem's, or `ok`.
pub(super) fn count(route: &'static str, status: StatusCode, code: &'static str, took: Duration) {
    KNOWN.with_borrow_mut(|known| {
        let combination = (route, status, code);
        let at = known.iter().position(|(known, ..)| *known == combination);
        let at = at.unwrap_or_else(|| {
            let status = status.as_str().to_owned();
            known.push((
                combination,
                counter!(names::ANSWERS, "route" => route, "status" => status, "code" => code),
                histogram!(names::ANSWER_SECONDS, "route" => route),
            ));
            known.len() - 1
        });
        known.swap(at, at / 2);
        let (_, answers, seconds) = &known[at / 2];
        answers.increment(1);
        seconds.record(took.as_secs_f64());
    });
}
