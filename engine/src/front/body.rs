//! The bodies of our answers: bytes that are there, or events that come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc::Receiver;

use super::connections::Busy;

/// What is sent.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Full<Bytes>),
    Events(Events),
}

/// What a task sends piece by piece, until it ends.
#[derive(Debug)]
pub(crate) struct Events {
    pieces: Receiver<Bytes>,
    /// A connection that is told of events is not silent.
    busy: Option<Busy>,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body::Whole(Full::new(bytes))
    }
}

impl From<Receiver<Bytes>> for Body {
    fn from(pieces: Receiver<Bytes>) -> Self {
        Body::Events(Events { pieces, busy: None })
    }
}

impl Body {
    /// While events come the connection counts as busy.
    pub(super) fn busy(mut self, busy: Busy) -> Self {
        if let Body::Events(events) = &mut self {
            events.busy = Some(busy);
        }
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Body::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Body::Events(events) => events
                .pieces
                .poll_recv(cx)
                .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(whole) => whole.is_end_stream(),
            Body::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(whole) => whole.size_hint(),
            Body::Events(_) => SizeHint::default(),
        }
    }
}
