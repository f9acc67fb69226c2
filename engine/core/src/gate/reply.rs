//! A script's reply, read strictly: an unknown word, a missing or a surplus element is a broken contract, never a default.

use fred::types::Value;
use tokio::sync::OwnedRwLockReadGuard;

use super::script::Script;
use super::{Fenced, GateError};
use crate::ticket::Place;

/// The elements after the outcome word and the call number.
#[derive(Debug)]
pub(crate) struct Reply {
    script: &'static Script,
    word: String,
    rest: std::vec::IntoIter<Value>,
    /// The call counts as under way until its reply has been read and its sighting noted.
    _under_way: Option<OwnedRwLockReadGuard<()>>,
}

impl Reply {
    /// Checks the shape, and that the reply answers this very call: a client library out of step would otherwise hand
    /// one buyer's outcome to another.
    pub(crate) fn new(
        script: &'static Script,
        call: &str,
        value: Value,
        under_way: OwnedRwLockReadGuard<()>,
    ) -> Result<Self, GateError> {
        let Value::Array(values) = value else {
            return Err(GateError::Contract {
                script: script.name,
                detail: "the reply is not an array".into(),
            });
        };
        let mut reply = Self {
            script,
            word: String::new(),
            rest: values.into_iter(),
            _under_way: Some(under_way),
        };
        reply.word = reply.text()?;
        if reply.text()? != call {
            return Err(GateError::Mismatched {
                script: script.name,
            });
        }
        Ok(reply)
    }

    pub(crate) fn word(&self) -> &str {
        &self.word
    }

    /// The refusal that this reply is, if it is one of those that all scripts share.
    pub(crate) fn fenced(&mut self) -> Result<Option<Fenced>, GateError> {
        Ok(Some(match self.word.as_str() {
            "unknown_sale" => Fenced::UnknownSale,
            "unknown_schema" => Fenced::UnknownSchema(self.text()?),
            "recovering" => Fenced::Recovering(self.text()?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, GateError> {
        match self.rest.next() {
            Some(Value::Bytes(bytes)) => Ok(bytes.to_vec()),
            Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
            other => Err(self.broken(&format!("a string was expected, not {other:?}"))),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, GateError> {
        String::from_utf8(self.bytes()?).map_err(|_| self.broken("a string is not UTF-8"))
    }

    /// An integer reply, or a string of digits: Lua hands on what Redis stored as text.
    pub(crate) fn number(&mut self) -> Result<u64, GateError> {
        let parsed = match self.rest.next() {
            Some(Value::Integer(n)) => u64::try_from(n).ok(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        parsed.ok_or_else(|| self.broken("a number was expected"))
    }

    /// A string, or an integer as one: what a script has computed and what it has only read.
    pub(crate) fn plain(&mut self) -> Result<String, GateError> {
        match self.rest.next() {
            Some(Value::Integer(n)) => Ok(n.to_string()),
            Some(Value::String(text)) => Ok(text.to_string()),
            Some(Value::Bytes(bytes)) => {
                String::from_utf8(bytes.to_vec()).map_err(|_| self.broken("a string is not UTF-8"))
            }
            _ => Err(self.broken("a string or a number was expected")),
        }
    }

    pub(crate) fn epoch(&mut self) -> Result<u32, GateError> {
        u32::try_from(self.number()?).map_err(|_| self.broken("epoch"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, GateError> {
        u32::try_from(self.number()?).map_err(|_| self.broken("a smaller number was expected"))
    }

    pub(crate) fn place(&mut self) -> Result<Place, GateError> {
        self.text()?
            .parse()
            .map_err(|_| self.broken("a place was expected"))
    }

    pub(crate) fn list(&mut self) -> Result<Reply, GateError> {
        match self.rest.next() {
            Some(Value::Array(values)) => Ok(Self {
                script: self.script,
                word: self.word.clone(),
                rest: values.into_iter(),
                _under_way: None,
            }),
            _ => Err(self.broken("an array was expected")),
        }
    }

    pub(crate) fn skip(&mut self) -> Result<(), GateError> {
        self.rest
            .next()
            .map(|_| ())
            .ok_or_else(|| self.broken("an element is missing"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Pairs of a flat list.
    pub(crate) fn pairs(mut self) -> Result<Vec<(String, String)>, GateError> {
        let mut pairs = Vec::with_capacity(self.len() / 2);
        while !self.is_empty() {
            pairs.push((self.text()?, self.text()?));
        }
        Ok(pairs)
    }

    pub(crate) fn broken(&self, detail: &str) -> GateError {
        GateError::Contract {
            script: self.script.name,
            detail: detail.to_string(),
        }
    }

    /// For the arm of a match on [`Reply::word`] that the header does not announce.
    pub(crate) fn unknown_word(&self) -> GateError {
        self.broken(&format!("unknown outcome {:?}", self.word))
    }
}
