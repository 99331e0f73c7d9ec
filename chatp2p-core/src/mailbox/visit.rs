//! One visit at a mailbox: a link over which somebody leaves mail, or collects theirs.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use super::keeper::{From, Mailbox, Rooms};
use super::limits::{READING_TIMEOUT, TAKING_TIMEOUT, VISITOR_TIMEOUT, may_send_beside};
use super::wire::{self, Answer, Refusal, Request};
use crate::identity::Identity;
use crate::record::LetterboxId;
use crate::transport::{SecureLink, TransportError};

/// How long a goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// A visit.
struct Visit<'a> {
    rooms: &'a Rooms,
    mailbox: &'a Identity,
    from: From,
    /// The letterbox that is the visitor's, if they have one.
    own: LetterboxId,
    call: u64,
    leave: Arc<Notify>,
    collecting: Option<Round>,
    /// Since when the visitor owes a word.
    since: Instant,
    answers: mpsc::Sender<Bytes>,
}

/// Where a collector stands.
struct Round {
    news: Arc<Notify>,
    /// The last number that was sent.
    sent: u64,
    /// What was sent and not taken, by number, in bytes.
    untaken: BTreeMap<u64, u64>,
    /// Whether there may be more than was sent.
    more: bool,
}

impl Round {
    fn has_room(&self) -> bool {
        may_send_beside(self.untaken.values().copied())
    }
}

/// Whoever leaves by whatever door has left.
struct Leaves<'a>(&'a Rooms, u64);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.here().leave(self.1);
    }
}

impl Mailbox {
    /// Serves a link that was secured for [`Purpose::Mailbox`](crate::transport::secure::Purpose::Mailbox), until its end.
    /// Dropping the future breaks it off. Signs with the key that was proved on it.
    pub async fn serve(&self, link: SecureLink, mailbox: &Identity) {
        let rooms = &*self.rooms;
        let remote = link.remote();
        let (call, leave) = rooms.here().enter(remote.map(|remote| remote.ip()));
        let _leaves = Leaves(rooms, call);
        let (answers, outgoing) = mpsc::channel(1);
        let (arrived, requests) = mpsc::channel(1);
        let own = LetterboxId::of(link.peer());
        let from = rooms.from(remote);
        let visit = Visit { rooms, mailbox, from, own, call, leave, collecting: None, since: Instant::now(), answers };
        let read = |bytes: Bytes| {
            wire::decode_request(&bytes).map_err(|error| TransportError::Protocol { reason: error.to_string() })
        };
        let (carrying, talking) = (link.run(outgoing, arrived, read), visit.run(requests));
        let ended = select(Box::pin(carrying), Box::pin(talking)).await;
        if let Either::Right(((), carrying)) = ended {
            let _ = timeout(GOODBYE_TIMEOUT, carrying).await;
        }
    }
}

/// What a visit waits for.
enum Next {
    Said(Option<Request>),
    Mail(Answer),
    News,
    Over,
}

impl Visit<'_> {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let answer = match self.next(&mut requests).await {
                Next::Said(Some(request)) => {
                    let answer = self.answer(request).await;
                    if self.collecting.is_none() {
                        self.since = Instant::now();
                    }
                    answer
                }
                Next::Mail(answer) => self.hand_out(answer),
                Next::News => {
                    self.collecting.iter_mut().for_each(|round| round.more = true);
                    None
                }
                Next::Said(None) | Next::Over => return,
            };
            if let Some(answer) = answer {
                let sending = self.answers.send(wire::encode_answer(&answer).into());
                match timeout(READING_TIMEOUT, sending).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        }
    }

    async fn next(&self, requests: &mut mpsc::Receiver<Request>) -> Next {
        let round = self.collecting.as_ref();
        let mail = async {
            match round {
                Some(round) if round.more && round.has_room() => self.rooms.next(self.own, round.sent).await,
                _ => pending().await,
            }
        };
        let news = async {
            match round {
                Some(round) if !round.more => round.news.notified().await,
                _ => pending().await,
            }
        };
        let overdue = async {
            match round {
                Some(round) if round.untaken.is_empty() => pending().await,
                Some(_) => sleep_until(self.since + TAKING_TIMEOUT).await,
                None => sleep_until(self.since + VISITOR_TIMEOUT).await,
            }
        };
        tokio::select! {
            biased;
            () = self.leave.notified() => Next::Over,
            request = requests.recv() => Next::Said(request),
            answer = mail => Next::Mail(answer),
            () = news => Next::News,
            () = overdue => Next::Over,
        }
    }

    fn hand_out(&mut self, answer: Answer) -> Option<Answer> {
        let round = self.collecting.as_mut()?;
        match &answer {
            Answer::Mail { number, sealed } => {
                if round.untaken.is_empty() {
                    self.since = Instant::now();
                }
                round.sent = *number;
                round.untaken.insert(*number, sealed.len() as u64);
                Some(answer)
            }
            // There is nothing more.
            Answer::Collecting => {
                round.more = false;
                None
            }
            // Trouble: once there is news, or the owner comes again.
            _ => {
                round.more = false;
                Some(answer)
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Option<Answer> {
        Some(match request {
            Request::Open => self.rooms.open(self.own, self.from).await,
            Request::Close => self.rooms.close(self.own).await,
            Request::Deposit { letterbox, sealed } => {
                self.rooms.deposit(self.mailbox, letterbox, sealed, self.from).await
            }
            Request::Collect if self.collecting.is_some() => Answer::Refused(Refusal::Invalid),
            Request::Collect => {
                let answer = self.rooms.visit(self.own).await;
                if answer == Answer::Collecting {
                    let news = self.rooms.here().collect(self.call, self.own, &self.leave);
                    self.collecting = Some(Round { news, sent: 0, untaken: BTreeMap::new(), more: true });
                }
                answer
            }
            Request::Take { numbers } => {
                if let Some(round) = &mut self.collecting {
                    round.untaken.retain(|number, _| !numbers.contains(number));
                    self.since = Instant::now();
                }
                self.rooms.take(self.own, numbers).await
            }
        })
    }
}
