//! The other end: who leaves mail at a mailbox, and who collects it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::limits::may_send_beside;
use super::wire::{self, Answer, Kept, MAX_TAKEN, Refusal, Request, Terms};
use crate::code::Code;
use crate::identity::PeerId;
use crate::record::Letterbox;
use crate::transport::secure::Purpose;
use crate::transport::{SecureLink, TransportError};

/// How long a mailbox may take over an answer: the largest mail at 300 kbit/s, and its disk.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// How long a goodbye may take once nobody is interested in the link any more.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// A link to a mailbox, with a task that carries what is said. It ends with this, after a goodbye.
#[derive(Debug)]
struct Line {
    requests: mpsc::Sender<Bytes>,
    answers: mpsc::Receiver<Answer>,
    mailbox: PeerId,
    _held: oneshot::Sender<()>,
}

impl Line {
    fn over(link: SecureLink) -> Result<Self, MailboxError> {
        if link.purpose() != Purpose::Mailbox {
            return Err(MailboxError::Protocol { reason: "the link is for something else" });
        }
        let (requests, outgoing) = mpsc::channel(1);
        let (arrived, answers) = mpsc::channel(1);
        let (held, let_go) = oneshot::channel::<()>();
        let mailbox = link.peer();
        tokio::spawn(async move {
            let read = |bytes: Bytes| {
                wire::decode_answer(&bytes).map_err(|error| TransportError::Protocol { reason: error.to_string() })
            };
            let overdue = async {
                let _ = let_go.await;
                sleep(GOODBYE_TIMEOUT).await;
            };
            tokio::select! {
                ended = link.run(outgoing, arrived, read) => if let Err(error) = ended {
                    tracing::debug!(%error, "the link to a mailbox broke");
                },
                () = overdue => {}
            }
        });
        Ok(Self { requests, answers, mailbox, _held: held })
    }

    async fn say(&self, request: &Request) -> Result<(), MailboxError> {
        let sending = self.requests.send(wire::encode_request(request).into());
        match timeout(ANSWER_TIMEOUT, sending).await {
            Ok(sent) => sent.map_err(|_| MailboxError::Closed),
            Err(_) => Err(MailboxError::TimedOut),
        }
    }

    async fn hear(&mut self) -> Result<Answer, MailboxError> {
        self.answers.recv().await.ok_or(MailboxError::Closed)
    }

    async fn ask(&mut self, request: &Request) -> Result<Answer, MailboxError> {
        self.say(request).await?;
        match timeout(ANSWER_TIMEOUT, self.hear()).await {
            Ok(answer) => answer,
            Err(_) => Err(MailboxError::TimedOut),
        }
    }
}

/// Leaves mail at a mailbox, over a link that was dialled with a key drawn for it alone.
#[derive(Debug)]
pub struct Depositor {
    line: Line,
    /// An answer that nobody waited for would be taken for the next one.
    is_waiting: bool,
}

impl Depositor {
    /// One over this link.
    ///
    /// # Errors
    /// [`MailboxError::Protocol`] when the link is for something else.
    pub fn new(link: SecureLink) -> Result<Self, MailboxError> {
        Ok(Self { line: Line::over(link)?, is_waiting: false })
    }

    /// Leaves a mail in a letterbox of this mailbox. It is kept, and would survive a power cut there, when this returns. The
    /// same mail may be left again when that is not known. After a future that was dropped no other is answered.
    ///
    /// # Errors
    /// [`MailboxError`]: [`Refused`](MailboxError::Refused) when it is full, or there is no such letterbox.
    pub async fn deposit(&mut self, to: &Letterbox, sealed: Vec<u8>) -> Result<Kept, MailboxError> {
        if std::mem::replace(&mut self.is_waiting, true) {
            return Err(MailboxError::Closed);
        }
        if to.mailbox != self.line.mailbox {
            self.is_waiting = false;
            return Err(MailboxError::Protocol { reason: "the letterbox is at another mailbox" });
        }
        let request = Request::Deposit { letterbox: to.id, sealed };
        let answer = self.line.ask(&request).await?;
        self.is_waiting = false;
        let Request::Deposit { sealed, .. } = request else { return Err(UNEXPECTED) };
        match answer {
            Answer::Kept(kept) if kept.is_from(self.line.mailbox, to.id, &sealed) => Ok(kept),
            Answer::Kept(_) => Err(MailboxError::Protocol { reason: "its word does not hold" }),
            Answer::Refused(refusal) => Err(MailboxError::Refused(refusal)),
            _ => Err(UNEXPECTED),
        }
    }
}

const UNEXPECTED: MailboxError = MailboxError::Protocol { reason: "it answers something else" };

/// A mail that was collected, sealed as it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// By which it is taken.
    pub number: u64,
    /// Open it with [`mail::open`](super::mail::open). What cannot be opened is taken all the same.
    pub sealed: Vec<u8>,
}

/// Collects from one letterbox, over a link that was dialled with the letterbox's own key.
#[derive(Debug)]
pub struct Collector {
    line: Line,
    terms: Terms,
    /// What came while something else was waited for: no more than the mailbox may send untaken.
    arrived: VecDeque<Collected>,
    /// How many takings were asked for, and answered.
    takings: (u64, u64),
}

impl Collector {
    /// Opens the letterbox of the key that was proved on this link, and begins to collect.
    ///
    /// # Errors
    /// [`MailboxError`]: [`Refused`](MailboxError::Refused) when the mailbox has no room for another letterbox.
    pub async fn open(link: SecureLink) -> Result<Self, MailboxError> {
        let mut line = Line::over(link)?;
        let terms = match line.ask(&Request::Open).await? {
            Answer::Opened(terms) => terms,
            Answer::Refused(refusal) => return Err(MailboxError::Refused(refusal)),
            _ => return Err(UNEXPECTED),
        };
        match line.ask(&Request::Collect).await? {
            Answer::Collecting => Ok(Self { line, terms, arrived: VecDeque::new(), takings: (0, 0) }),
            Answer::Refused(refusal) => Err(MailboxError::Refused(refusal)),
            _ => Err(UNEXPECTED),
        }
    }

    /// On what terms it is open.
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// The next mail, oldest first; waits for one. The mailbox sends no more than 64 of them, or 4 MiB, before some are
    /// taken. Cancel-safe: dropping the future loses none.
    ///
    /// # Errors
    /// [`MailboxError`] when the link is gone, also because somebody else collects from this letterbox now.
    pub async fn next(&mut self) -> Result<Collected, MailboxError> {
        loop {
            if let Some(mail) = self.arrived.pop_front() {
                return Ok(mail);
            }
            self.hear().await?;
        }
    }

    /// Has the mailbox delete these mails: they are safe here. They are gone there when this returns; when its future is
    /// dropped, soon.
    ///
    /// # Errors
    /// [`MailboxError`] when that is not known. They come again then.
    pub async fn take(&mut self, numbers: &[u64]) -> Result<(), MailboxError> {
        for numbers in numbers.chunks(MAX_TAKEN) {
            self.line.say(&Request::Take { numbers: numbers.to_vec() }).await?;
            self.takings.0 += 1;
        }
        let answered = async {
            while self.takings.1 < self.takings.0 {
                self.hear().await?;
            }
            Ok(())
        };
        timeout(ANSWER_TIMEOUT, answered).await.map_err(|_| MailboxError::TimedOut)?
    }

    /// Gives the letterbox up, with everything in it.
    ///
    /// # Errors
    /// [`MailboxError`] when that is not known.
    pub async fn close(mut self) -> Result<(), MailboxError> {
        self.line.say(&Request::Close).await?;
        let closed = async {
            loop {
                match self.line.hear().await? {
                    Answer::Closed => return Ok(()),
                    Answer::Mail { .. } | Answer::Taken => {}
                    Answer::Refused(refusal) => return Err(MailboxError::Refused(refusal)),
                    _ => return Err(UNEXPECTED),
                }
            }
        };
        timeout(ANSWER_TIMEOUT, closed).await.map_err(|_| MailboxError::TimedOut)?
    }

    /// Takes note of one answer.
    async fn hear(&mut self) -> Result<(), MailboxError> {
        match self.line.hear().await? {
            Answer::Mail { number, sealed }
                if may_send_beside(self.arrived.iter().map(|mail| mail.sealed.len() as u64)) =>
            {
                self.arrived.push_back(Collected { number, sealed });
                Ok(())
            }
            Answer::Taken if self.takings.1 < self.takings.0 => {
                self.takings.1 += 1;
                Ok(())
            }
            Answer::Refused(refusal) => Err(MailboxError::Refused(refusal)),
            _ => Err(UNEXPECTED),
        }
    }
}

/// Why nothing came of it at a mailbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// It said no.
    #[error("the mailbox refused: {0}")]
    Refused(Refusal),
    /// It is not what a mailbox does.
    #[error("this is no mailbox as it should be: {reason}")]
    Protocol {
        /// What is wrong.
        reason: &'static str,
    },
    /// The link is gone.
    #[error("the link to the mailbox is gone")]
    Closed,
    /// It is silent.
    #[error("the mailbox is silent")]
    TimedOut,
}

impl MailboxError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Protocol { .. } => Code::MailboxProtocol,
            Self::Closed | Self::TimedOut => Code::MailboxUnreachable,
        }
    }
}
