//! `POST /v1/sales/{sale}/reservations`: from its head to its body, and on to memory's answer, or to a future that asks Redis.

use std::task::Context;

use doorbuster_core::clock;
use hyper::Request;
use hyper::body::Incoming;

use super::answering::Coming;
use super::asked::Asked;
use super::request::{self, ComingBody};
use super::reservations;
use super::wish::{Early, Soon, Wish};

/// A reservation whose body is to be looked for.
pub(super) struct Reserving {
    pattern: &'static str,
    wish: Result<Wish, Early>,
    body: ComingBody,
    asked: Asked,
}

impl Reserving {
    /// What `request`, to a route of `pattern`, wishes by its head.
    pub(super) fn new(
        asked: Asked,
        pattern: &'static str,
        wish: Result<Wish, Early>,
        request: Request<Incoming>,
    ) -> Self {
        Self {
            pattern,
            wish,
            body: request::coming(request),
            asked,
        }
    }

    /// Its answer, if it needs nothing but memory.
    pub(super) fn go_on(self, cx: &mut Context<'_>) -> Coming {
        let Self {
            pattern,
            wish,
            mut body,
            asked,
        } = self;
        let app = asked.app;
        let soon = match wish {
            Err(early) => Soon::Refused(early),
            Ok(wish) => match body.at_once(cx) {
                Some(read) => wish.at_once(app, read, asked.started),
                None => {
                    return Coming::Later(Box::pin(async move {
                        let read = body.read().await;
                        let soon = wish.at_once(app, read, clock::instant());
                        let said = reservations::create(app, soon).await;
                        asked.answered(pattern, said)
                    }));
                }
            },
        };
        match soon {
            Soon::Told(refusal) => Coming::Now(Some(asked.answered(pattern, Err(refusal)))),
            soon => Coming::Later(Box::pin(async move {
                // hyper closes a connection whose body is dropped before its answer is begun.
                let _unread = body;
                let said = reservations::create(app, soon).await;
                asked.answered(pattern, said)
            })),
        }
    }
}
