//! A transport whose links can be cut, frozen, and made deaf.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Sink, Stream};

use crate::record::Endpoint;
use crate::transport::{Clearance, Link, LinkSink, LinkStream, Listener, Transport, TransportError, Unreached};

/// Another transport, and a hand on every link that was dialled through it. What a switch does, it does to the links
/// that are there; those that are dialled later are whole.
#[derive(Clone)]
pub struct Lines {
    inner: Arc<dyn Transport>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<Arc<Line>>>,
    /// What a frozen link consisted of when its dialler let go of it: the other end must not notice.
    graves: Mutex<Vec<(Option<LinkSink>, Option<LinkStream>)>>,
    dials: AtomicUsize,
    closed: AtomicBool,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mode: Mode,
    wakers: Vec<Waker>,
    halves: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Whole,
    /// The dialling end reads nothing.
    Deaf,
    /// Nothing passes, and neither end is told.
    Frozen,
    /// Both ends are told.
    Cut,
}

impl Lines {
    /// Everything that is dialled from now on by this handle or a clone.
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, shared: Arc::default() }
    }

    /// Breaks every link.
    pub fn cut(&self) {
        self.set(Mode::Cut);
        lock(&self.shared.graves).clear();
    }

    /// Lets nothing pass any more, and tells nobody, not even when the dialling end goes away.
    pub fn freeze(&self) {
        self.set(Mode::Frozen);
    }

    /// Lets the dialling end read nothing any more, while it writes on.
    pub fn deafen(&self) {
        self.set(Mode::Deaf);
    }

    /// Lets the frozen and the deaf go on.
    pub fn thaw(&self) {
        self.set(Mode::Whole);
    }

    /// Whether dials fail from now on.
    pub fn close(&self, closed: bool) {
        self.shared.closed.store(closed, Ordering::SeqCst);
    }

    /// How many links are not cut and held by their dialler.
    pub fn live(&self) -> usize {
        let lines = lock(&self.shared.lines);
        let live = |line: &&Arc<Line>| {
            let state = lock(&line.state);
            state.halves > 0 && state.mode != Mode::Cut
        };
        lines.iter().filter(live).count()
    }

    /// How often anything was dialled, in vain or not.
    pub fn dials(&self) -> usize {
        self.shared.dials.load(Ordering::SeqCst)
    }

    fn set(&self, mode: Mode) {
        for line in lock(&self.shared.lines).iter() {
            let mut state = lock(&line.state);
            if state.mode != Mode::Cut {
                state.mode = mode;
            }
            state.wakers.drain(..).for_each(Waker::wake);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("inner", &self.inner).field("live", &self.live()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Lines {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError> {
        self.inner.listen(at).await
    }

    async fn dial(&self, to: &Endpoint, clearance: &Clearance) -> Result<Link, TransportError> {
        self.shared.dials.fetch_add(1, Ordering::SeqCst);
        if self.shared.closed.load(Ordering::SeqCst) {
            let (endpoint, reason) = (to.clone(), "the line is down".to_owned());
            return Err(TransportError::Unreachable { endpoint, cause: Unreached::NoWay, reason });
        }
        let link = self.inner.dial(to, clearance).await?;
        let line = Arc::new(Line::default());
        lock(&line.state).halves = 2;
        lock(&self.shared.lines).push(Arc::clone(&line));
        let half = || (Arc::clone(&line), Arc::clone(&self.shared));
        let outgoing = Outgoing { inner: Some(link.outgoing), half: half() };
        let incoming = Incoming { inner: Some(link.incoming), half: half(), told: false };
        Ok(Link { outgoing: Box::pin(outgoing), incoming: Box::pin(incoming), ..link })
    }
}

impl Line {
    /// How the line is; whoever asks is woken when that changes.
    fn mode(&self, cx: &Context<'_>) -> Mode {
        let mut state = lock(&self.state);
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        state.mode
    }

    /// Notes that one half is let go of, and says whether the other end must not notice.
    fn let_go(&self) -> bool {
        let mut state = lock(&self.state);
        state.halves -= 1;
        state.mode == Mode::Frozen
    }
}

struct Outgoing {
    inner: Option<LinkSink>,
    half: (Arc<Line>, Arc<Shared>),
}

impl Outgoing {
    fn passing(&mut self, cx: &Context<'_>) -> Poll<Result<&mut LinkSink, TransportError>> {
        match self.half.0.mode(cx) {
            Mode::Frozen => return Poll::Pending,
            Mode::Cut => self.inner = None,
            Mode::Whole | Mode::Deaf => {}
        }
        Poll::Ready(self.inner.as_mut().ok_or(TransportError::Closed))
    }
}

impl Sink<Bytes> for Outgoing {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.passing(cx))?.as_mut().poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> Result<(), TransportError> {
        self.inner.as_mut().ok_or(TransportError::Closed)?.as_mut().start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.passing(cx))?.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.passing(cx))?.as_mut().poll_close(cx)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if self.half.0.let_go() {
            lock(&self.half.1.graves).push((self.inner.take(), None));
        }
    }
}

struct Incoming {
    inner: Option<LinkStream>,
    half: (Arc<Line>, Arc<Shared>),
    told: bool,
}

impl Stream for Incoming {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.half.0.mode(cx) {
            Mode::Frozen | Mode::Deaf => return Poll::Pending,
            Mode::Cut => this.inner = None,
            Mode::Whole => {}
        }
        match this.inner.as_mut() {
            Some(inner) => inner.as_mut().poll_next(cx),
            None if this.told => Poll::Ready(None),
            None => {
                this.told = true;
                Poll::Ready(Some(Err(TransportError::Closed)))
            }
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.half.0.let_go() {
            lock(&self.half.1.graves).push((None, self.inner.take()));
        }
    }
}
