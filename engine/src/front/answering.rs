//! An answer on its way: there at once where memory has it, or worked out in a room of its own.
//!
//! A connection carries what its request's future takes all the time, and moves it for every request. So what is asked most
//! by far is answered before there is a future: polls of the line that all are in, and reservations of what is sold out, as soon as their
//! body is there. All else has a room that the connection only points to.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::Response;

use super::body::Body;
use super::connections::Busy;
use super::reserving::Reserving;

/// One request's.
pub(super) struct Answering {
    /// The connection is not silent meanwhile.
    busy: Option<Busy>,
    answer: Coming,
}

/// When it is there.
pub(super) enum Coming {
    Now(Option<Response<Body>>),
    /// hyper hands on a body that came with its head only after it was told of the request.
    WithBody(Option<Reserving>),
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
    /// The connection is being closed: its request was never looked at.
    Never,
}

impl Answering {
    pub(super) fn new(busy: Busy, answer: Coming) -> Self {
        let busy = Some(busy);
        Self { busy, answer }
    }

    pub(super) fn never() -> Self {
        let (busy, answer) = (None, Coming::Never);
        Self { busy, answer }
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Coming::WithBody(reserving) = &mut self.answer
            && let Some(reserving) = reserving.take()
        {
            self.answer = reserving.go_on(cx);
        }
        let answer = match &mut self.answer {
            Coming::Now(answer) => answer.take(),
            Coming::Later(answer) => Some(ready!(answer.as_mut().poll(cx))),
            Coming::WithBody(_) | Coming::Never => None,
        };
        let (Some(answer), Some(busy)) = (answer, self.busy.take()) else {
            return Poll::Pending;
        };
        Poll::Ready(Ok(answer.map(|body| body.busy(busy))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::connections::Connections;
    use super::*;

    #[tokio::test]
    async fn a_connection_is_busy_until_its_answer_is_there_however_late() {
        let connections = Connections::default();
        let silence = connections.opened();
        let task = tokio::spawn(std::future::pending::<()>());
        connections.served_by(silence.number(), task.abort_handle());
        let busy = Arc::clone(&silence).busy().unwrap();
        let later = Coming::Later(Box::pin(async {
            tokio::task::yield_now().await;
            Response::new(Body::from(Bytes::from_static(b"late")))
        }));
        let mut answering = Answering::new(busy, later);
        let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut answering).poll(cx)));
        assert!(polled.await.is_pending());
        assert_eq!(connections.close_silent(Duration::ZERO), 1);
        assert!(answering.await.is_ok());
        assert_eq!(connections.close_silent(Duration::ZERO), 0);
    }
}
