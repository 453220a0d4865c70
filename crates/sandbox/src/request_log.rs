//! The log of requests: a bounded ring that allocates nothing per entry once it is full.

use std::collections::VecDeque;

use serde::Serialize;

use crate::clock::Moment;

/// What the log knows of one request besides its path.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Moment,
    account: u32,
    method: Method,
    path_length: u16,
    /// 0: nothing was sent.
    status: u16,
    /// 0: no envelope.
    inner: u16,
    stage: Stage,
    fault: Option<&'static str>,
}

/// How far a request has come on the simulated side, whatever its client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was not processed: refused, or a rule's doing, or not yet.
    #[default]
    Unprocessed,
    /// A rule keeps it back; it will be processed unless its client goes away.
    Held,
    /// It was not processed while its client was there, and will be.
    Pending,
    Processed,
    /// It was processed at this time, after its client was answered or had left.
    Late(Moment),
}

#[derive(Clone, Copy, Debug)]
enum Method {
    Get,
    Post,
    Put,
    Delete,
    Other,
}

/// How a request ended, or what is known of it so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// `None` when the connection was cut instead, and until the answer leaves.
    pub(crate) status: Option<u16>,
    pub(crate) inner: Option<u16>,
    pub(crate) stage: Stage,
    pub(crate) fault: Option<&'static str>,
}

/// One request as the control prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Logged<'a> {
    at_ms: u64,
    account: Option<&'a str>,
    method: &'static str,
    path: String,
    status: Option<u16>,
    inner_code: Option<u16>,
    processed: bool,
    held: bool,
    pending: bool,
    late_at_ms: Option<u64>,
    fault: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    capacity: usize,
    entries: VecDeque<Entry>,
    paths: VecDeque<u8>,
    /// The number of the oldest entry that is still kept.
    first: u64,
}

impl RequestLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: VecDeque::new(),
            paths: VecDeque::new(),
            first: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.entries.len() as u64;
        self.entries.clear();
        self.paths.clear();
    }

    /// Notes an arrival and gives the number under which its outcome is noted later. Account 0 is
    /// none.
    pub(crate) fn arrive(&mut self, at: Moment, account: u32, method: &str, path: &str) -> u64 {
        while self.entries.len() >= self.capacity.max(1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.paths.drain(..usize::from(oldest.path_length));
                self.first += 1;
            }
        }
        let method = match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            _ => Method::Other,
        };
        let path_length = u16::try_from(path.len()).unwrap_or(u16::MAX);
        self.paths
            .extend(path.as_bytes().iter().take(usize::from(path_length)));
        let (status, inner, stage, fault) = (0, 0, Stage::Unprocessed, None);
        self.entries.push_back(Entry {
            at,
            account,
            method,
            path_length,
            status,
            inner,
            stage,
            fault,
        });
        self.first + self.entries.len() as u64 - 1
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(at)
    }

    /// Notes that a request was processed late; what its client was told stays.
    pub(crate) fn late(&mut self, number: u64, at: Moment) {
        if let Some(entry) = self.entry(number) {
            entry.stage = Stage::Late(at);
        }
    }

    pub(crate) fn settle(&mut self, number: u64, outcome: Outcome) {
        if let Some(entry) = self.entry(number) {
            entry.status = outcome.status.unwrap_or(0);
            entry.inner = outcome.inner.unwrap_or(0);
            entry.stage = outcome.stage;
            entry.fault = outcome.fault;
        }
    }

    /// The requests that arrived at `since_ms` or later, oldest first, at most `limit` of them.
    pub(crate) fn list<'a>(
        &self,
        since_ms: u64,
        limit: usize,
        names: &'a [std::sync::Arc<str>],
    ) -> Vec<Logged<'a>> {
        let mut listed = Vec::new();
        let mut path_at = 0;
        for entry in &self.entries {
            let path_end = path_at + usize::from(entry.path_length);
            let at_ms = entry.at.unix_ms();
            if at_ms >= since_ms && listed.len() < limit {
                let path: Vec<u8> = self.paths.range(path_at..path_end).copied().collect();
                let name = (entry.account as usize)
                    .checked_sub(1)
                    .and_then(|at| names.get(at));
                listed.push(Logged {
                    at_ms,
                    account: name.map(|name| &**name),
                    method: entry.method.name(),
                    path: String::from_utf8_lossy(&path).into_owned(),
                    status: (entry.status != 0).then_some(entry.status),
                    inner_code: (entry.inner != 0).then_some(entry.inner),
                    processed: matches!(entry.stage, Stage::Processed | Stage::Late(_)),
                    held: entry.stage == Stage::Held,
                    pending: entry.stage == Stage::Pending,
                    late_at_ms: match entry.stage {
                        Stage::Late(at) => Some(at.unix_ms()),
                        Stage::Unprocessed | Stage::Held | Stage::Pending | Stage::Processed => {
                            None
                        }
                    },
                    fault: entry.fault,
                });
            }
            path_at = path_end;
        }
        listed
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_settles_only_what_it_keeps() {
        let mut log = RequestLog::new(3);
        let numbers: Vec<u64> = (0..5)
            .map(|n| log.arrive(Moment(n * 1000), 1, "GET", &format!("/{n}")))
            .collect();
        let outcome = Outcome {
            status: Some(200),
            inner: Some(200),
            stage: Stage::Processed,
            fault: None,
        };
        log.settle(numbers[0], outcome);
        log.settle(numbers[4], outcome);
        let names = ["acme".into()];
        let listed = log.list(0, 10, &names);
        let paths: Vec<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["/2", "/3", "/4"]);
        assert_eq!(listed[0].status, None);
        assert_eq!(listed[2].status, Some(200));
        assert_eq!(listed[2].account, Some("acme"));
        log.clear();
        assert!(log.list(0, 10, &names).is_empty());
        log.settle(numbers[4], outcome);
    }
}
