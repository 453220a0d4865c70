//! What a Redis answers when it does not do something, by what the caller can do about it.

use redis::{ErrorKind, RedisError};

use crate::{Error, Unfit};

/// A failure that can be told to many callers: the loss of a connection is one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// What happened and what to do, for a person. Never a secret.
    pub(super) message: String,
}

/// Which error of the crate it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    Unavailable,
    /// A server that was in use, answers, and must not be used as it is configured now. The message has
    /// no address in it.
    Unfit,
    Unusable,
    Corrupt,
}

impl Failure {
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Unavailable,
            message: message.into(),
        }
    }

    pub(super) fn unfit(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Unfit,
            message: message.into(),
        }
    }

    pub(super) fn unusable(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Unusable,
            message: message.into(),
        }
    }

    /// The error of the crate, naming the store.
    pub(super) fn at(self, place: &str) -> Error {
        let (place, message) = (place.to_owned(), self.message);
        match self.kind {
            FailureKind::Unavailable => Error::Unavailable {
                place,
                message,
                source: None,
            },
            FailureKind::Unfit => Error::Unavailable {
                place,
                message: "the server must not be used as it is configured now".to_owned(),
                source: Some(Box::new(Unfit(message))),
            },
            FailureKind::Unusable => Error::Unusable { place, message },
            FailureKind::Corrupt => Error::Corrupt { place, message },
        }
    }

    /// What an error answer means for a store called `name`.
    pub(super) fn answered(code: &str, detail: &str, name: &str) -> Self {
        of_answer(code, detail, name)
    }

    /// What `error` means for a store called `name`.
    pub(super) fn of(error: &RedisError, name: &str) -> Self {
        if let Some(code) = error.code() {
            return Self::answered(code, error.detail().unwrap_or_default(), name);
        }
        if error.is_timeout() {
            return Self::unavailable("the server did not answer in time");
        }
        let kind = error.kind();
        if matches!(kind, ErrorKind::Parse | ErrorKind::UnexpectedReturnType) {
            return Self::unusable(no_redis());
        }
        if kind == ErrorKind::AuthenticationFailed {
            return Self::unusable(login_refused());
        }
        if kind == ErrorKind::RESP3NotSupported {
            return Self::unusable(too_old("this server"));
        }
        let why = error
            .detail()
            .map_or_else(|| error.to_string(), str::to_owned);
        Self::unavailable(format!(
            "the connection was lost or could not be made ({why})"
        ))
    }
}

/// The commands that are used. `+@all -@admin -@dangerous` alone lacks INFO, by which the server
/// is checked.
pub(super) fn acl_rule(name: &str) -> String {
    format!("~{{{name}}}:* &{{{name}}}:* +@all -@admin -@dangerous +info")
}

pub(super) fn too_old(what: &str) -> String {
    format!("{what} is too old: Redis 7.0 or newer, or Valkey, is needed")
}

pub(super) fn no_redis() -> String {
    "what answers there does not speak the Redis protocol; check host and port, and use rediss:// if it speaks TLS"
        .to_owned()
}

fn login_refused() -> String {
    "the server refused the login: check the user in the URL (redis://USER@HOST) and the password that store_password names"
        .to_owned()
}

/// Whether the connection that brought this error is of no more use: it is broken, or it leads to
/// a server that is not, or not any more, the one to write to.
pub(super) fn spoils_connection(error: &RedisError) -> bool {
    match error.code() {
        Some(code) => matches!(
            code,
            "READONLY"
                | "MOVED"
                | "MASTERDOWN"
                | "CLUSTERDOWN"
                | "LOADING"
                | "NOAUTH"
                | "UNBLOCKED"
        ),
        None => !matches!(
            error.kind(),
            ErrorKind::InvalidClientConfig | ErrorKind::Client | ErrorKind::UnexpectedReturnType
        ),
    }
}

fn of_answer(code: &str, detail: &str, name: &str) -> Failure {
    let now = match code {
        "LOADING" => {
            "the server is still loading its data after a start; it answers when it is done"
        }
        "READONLY" => {
            "this server is a replica now, a failover may be under way; the primary is looked for"
        }
        "MASTERDOWN" => {
            "this server is a replica that has lost its primary; the primary is looked for"
        }
        "CLUSTERDOWN" => {
            "the Redis Cluster does not serve our keys now (CLUSTERDOWN); check `redis-cli --cluster check`"
        }
        "MOVED" => "our keys are on another node of the cluster now; it is looked for",
        "TRYAGAIN" | "ASK" => {
            "the cluster is moving our keys to another node; it goes on when they are moved"
        }
        "OOM" => {
            "the server's memory is full (maxmemory); raise maxmemory, or lower the store's retention of finished onboardings"
        }
        "NOREPLICAS" => {
            "the server accepts no writes while too few replicas are connected (min-replicas-to-write); check the replicas"
        }
        "BUSY" => {
            "the server is busy with a script of another client; `redis-cli FUNCTION KILL` or `SCRIPT KILL` ends that"
        }
        "MISCONF" => {
            "the server accepts no writes because it cannot save its data; check the disk and the log of the server"
        }
        "UNBLOCKED" => "the server became a replica while we waited; the primary is looked for",
        _ => return of_refusal(code, detail, name),
    };
    Failure::unavailable(now)
}

fn of_refusal(code: &str, detail: &str, name: &str) -> Failure {
    match code {
        "NOAUTH" => Failure::unusable(
            "the server wants a login: set store_password = { env = \"VAR\" } or { file = \"PATH\" }, and the user in the URL if it has one (redis://USER@HOST)",
        ),
        "WRONGPASS" => Failure::unusable(login_refused()),
        "NOPERM" => Failure::unusable(format!(
            "the user may not do what the store needs ({detail}); an ACL rule that suffices: {}",
            acl_rule(name)
        )),
        "DENIED" => Failure::unusable(
            "the server is in protected mode and takes no clients from other machines: set a password (requirepass or an ACL user) there and store_password here",
        ),
        "NOPROTO" => Failure::unusable(too_old("this server")),
        "CROSSSLOT" | "NOSCRIPT" | "WRONGTYPE" | "EXECABORT" => corrupt(code, detail),
        "ERR" if detail.contains("The user executing the script can't") => {
            of_refusal("NOPERM", detail, name)
        }
        "ERR" if detail.starts_with("max number of clients") => Failure::unavailable(
            "the server has as many clients as it allows; raise maxclients there",
        ),
        "ERR" if detail.contains("without any password configured") => Failure::unusable(
            "the server has no password, but store_password is set; remove store_password, or name the user in the URL",
        ),
        "ERR" if detail.contains("DB index is out of range") => Failure::unusable(
            "the server has fewer databases than the number in the URL asks for; choose another, or raise `databases` there",
        ),
        "ERR" if detail.starts_with("unknown command 'HELLO'") => {
            Failure::unusable(too_old("this server"))
        }
        _ => corrupt(code, detail),
    }
}

/// What no working server says to our scripts: the text is all there is to go by.
fn corrupt(code: &str, detail: &str) -> Failure {
    Failure {
        kind: FailureKind::Corrupt,
        message: format!("the server answered: {code} {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_answers_is_told_by_what_can_be_done_about_it() {
        use FailureKind::{Corrupt, Unavailable, Unusable};
        let table = [
            (
                "LOADING",
                "Redis is loading the dataset",
                Unavailable,
                "loading",
            ),
            ("READONLY", "You can't write", Unavailable, "primary"),
            ("MASTERDOWN", "Link is down", Unavailable, "primary"),
            (
                "CLUSTERDOWN",
                "The cluster is down",
                Unavailable,
                "--cluster check",
            ),
            ("TRYAGAIN", "Multiple keys request", Unavailable, "moving"),
            ("ASK", "1 h:1", Unavailable, "moving"),
            ("OOM", "command not allowed", Unavailable, "maxmemory"),
            (
                "NOREPLICAS",
                "Not enough",
                Unavailable,
                "min-replicas-to-write",
            ),
            ("BUSY", "Redis is busy", Unavailable, "FUNCTION KILL"),
            ("MISCONF", "Errors writing to the AOF", Unavailable, "disk"),
            (
                "ERR",
                "max number of clients reached",
                Unavailable,
                "maxclients",
            ),
            (
                "NOAUTH",
                "Authentication required.",
                Unusable,
                "store_password",
            ),
            ("WRONGPASS", "invalid", Unusable, "store_password"),
            ("NOPERM", "no 'set'", Unusable, "~{eu}:* &{eu}:*"),
            (
                "ERR",
                "The user executing the script can't run this command",
                Unusable,
                "~{eu}:*",
            ),
            ("DENIED", "protected mode", Unusable, "requirepass"),
            ("NOPROTO", "unsupported", Unusable, "7.0"),
            ("WRONGTYPE", "Operation", Corrupt, "WRONGTYPE"),
            ("ERR", "user_script:3: boom", Corrupt, "boom"),
            ("OURS", "", Corrupt, "OURS"),
        ];
        for (code, detail, kind, says) in table {
            let failure = Failure::answered(code, detail, "eu");
            assert_eq!(failure.kind, kind, "{code} {detail}");
            assert!(
                failure.message.contains(says),
                "{code}: {}",
                failure.message
            );
        }
    }
}
