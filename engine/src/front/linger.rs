//! Closes a connection so that its last answer arrives.
//!
//! Closing a socket whose peer still sends makes the kernel send a reset, and a reset throws away what the peer has not read
//! yet: the 413 to a body too large, most of all. So the sending side is closed first, and what still comes is read and
//! forgotten, up to a bound in bytes and time (RFC 9112 §9.6).

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::connections::Silence;
use crate::limits::{GATHERED_BYTES_MAX, LINGER_BYTES_MAX, LINGER_TIMEOUT};

thread_local! {
    /// An answer of at most [`GATHERED_BYTES_MAX`], while it is being written.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection whose shutdown lingers.
pub(super) struct Lingering {
    stream: TcpStream,
    /// An engine that drains closes the silent, but lets a last answer arrive; `None` for one that nobody would close.
    silence: Option<Arc<Silence>>,
    last: Option<Last>,
}

/// The end of a connection: nothing more is sent, what comes is forgotten.
struct Last {
    deadline: Pin<Box<Sleep>>,
    forgotten: usize,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream, silence: Option<Arc<Silence>>) -> Self {
        Self {
            stream,
            silence,
            last: None,
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Put together here, head and body of an answer cost less than the kernel takes for it (PERFORMANCE.md). hyper would too, but in
        // a buffer that stays as large as the connection's largest answer.
        let length: usize = bytes.iter().map(|slice| slice.len()).sum();
        if length > GATHERED_BYTES_MAX {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        }
        GATHERED.with_borrow_mut(|gathered| {
            gathered.clear();
            for slice in bytes {
                gathered.extend_from_slice(slice);
            }
            Pin::new(&mut self.stream).poll_write(cx, gathered)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.last.is_none() {
            if let Some(silence) = &this.silence {
                silence.ending();
            }
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let last = this.last.get_or_insert_with(|| Last {
            deadline: Box::pin(tokio::time::sleep(LINGER_TIMEOUT)),
            forgotten: 0,
        });
        let mut scratch = [0; 8 * 1024];
        while last.forgotten < LINGER_BYTES_MAX {
            if last.deadline.as_mut().poll(cx).is_ready() {
                break;
            }
            let mut into = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut into)) {
                Ok(()) if into.filled().is_empty() => break,
                Ok(()) => last.forgotten += into.filled().len(),
                Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
