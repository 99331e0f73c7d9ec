//! Why nobody was reached at an address, as far as this end can tell: what a person does about it differs each time.

use std::io;

use crate::code::Code;

/// Why nobody was reached at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreached {
    /// The machine is there, and says that nobody listens at the port.
    PortClosed,
    /// No answer in time: nobody is there, something drops what is sent, or what listens there never answers.
    Silent,
    /// There is no way to the address from here.
    NoWay,
    /// The host name leads nowhere.
    HostUnknown,
    /// Something answers, and not as a peer does.
    NotAPeer,
    /// Something else, which the reason tells.
    Other,
}

impl Unreached {
    /// What an error of a socket says about it.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::PortClosed,
            io::ErrorKind::TimedOut => Self::Silent,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            // As where this machine has no address of that version of IP.
            | io::ErrorKind::AddrNotAvailable => {
                Self::NoWay
            }
            _ => Self::Other,
        }
    }

    /// The stable code for it.
    pub const fn code(self) -> Code {
        match self {
            Self::PortClosed => Code::PortClosed,
            Self::Silent => Code::TimedOut,
            Self::NoWay => Code::AddressUnreachable,
            Self::HostUnknown => Code::HostUnknown,
            Self::NotAPeer => Code::NotChatp2p,
            Self::Other => Code::Unreachable,
        }
    }
}
