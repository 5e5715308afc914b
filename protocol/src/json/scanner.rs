//! Finds where JSON values begin and end, and that they are JSON.

use super::{error::JsonError, string::Quoted};

/// The deepest that values nobody asked for may be nested: the bits of [`Brackets`]. The specification allows senders 16.
const MOST_NESTED: u32 = u64::BITS;

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Number(&'a str),
    String(Quoted<'a>),
    /// With its braces.
    Object(&'a str),
    /// A truth value or an array: no field of a frame has one.
    Other,
}

#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// The brackets that are open, innermost in the lowest bit: 1 for a brace.
#[derive(Default)]
struct Brackets {
    bits: u64,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Calls `member` with every field of the object that the text consists of.
    pub(super) fn members(mut self, mut member: impl FnMut(&str, Value<'a>)) -> Result<(), JsonError> {
        self.expect(b'{', "an object")?;
        if !self.eat(b'}') {
            loop {
                let name =
                    self.name()?.decode().ok_or_else(|| self.expected("whole surrogate pairs in the name before"))?;
                member(&name, self.value()?);
                if !self.eat(b',') {
                    break;
                }
            }
            self.expect(b'}', "a comma or the end of the object")?;
        }
        self.skip_space();
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("nothing after the object")) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes white space, and then `byte` if it is there.
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::syntax(expected, self.at)
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The name of a field and the colon after it.
    fn name(&mut self) -> Result<Quoted<'a>, JsonError> {
        self.skip_space();
        let name = self.string()?;
        self.expect(b':', "a colon")?;
        Ok(name)
    }

    fn value(&mut self) -> Result<Value<'a>, JsonError> {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            Some(b'{') => {
                self.skip_nested()?;
                Ok(Value::Object(self.since(start)))
            }
            Some(b'[') => {
                self.skip_nested()?;
                Ok(Value::Other)
            }
            Some(_) | None => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => {
                let literals = [("null", Value::Null), ("true", Value::Other), ("false", Value::Other)];
                let rest = self.text.get(self.at..).unwrap_or_default();
                let found = literals.into_iter().find(|(literal, _)| rest.starts_with(literal));
                let (literal, value) = found.ok_or_else(|| self.expected("a value"))?;
                self.at += literal.len();
                Ok(value)
            }
        }
    }

    /// Passes an array or object with all that is in it. It does not recurse: the text decides how deep it goes.
    fn skip_nested(&mut self) -> Result<(), JsonError> {
        let mut open = Brackets::default();
        loop {
            self.skip_space();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if open.depth == MOST_NESTED {
                        return Err(self.expected("less deeply nested values"));
                    }
                    self.at += 1;
                    open.push(bracket == b'{');
                    if !self.eat(open.closing()) {
                        self.begin_member(&open)?;
                        continue;
                    }
                    open.pop();
                }
                Some(_) | None => drop(self.scalar()?),
            }
            // A value has ended, and with it perhaps the one that it was the last of.
            while open.depth > 0 && !self.eat(b',') {
                self.expect(open.closing(), "a comma or the closing bracket")?;
                open.pop();
            }
            if open.depth == 0 {
                return Ok(());
            }
            self.begin_member(&open)?;
        }
    }

    fn begin_member(&mut self, open: &Brackets) -> Result<(), JsonError> {
        if open.is_object() { self.name().map(drop) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Quoted<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a string"));
        }
        self.at += 1;
        let (start, mut is_escaped) = (self.at, false);
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    let raw = self.since(start);
                    self.at += 1;
                    return Ok(Quoted { raw, is_escaped });
                }
                Some(b'\\') => {
                    is_escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("an escape in place of the control character")),
                None => return Err(self.expected("the end of the string")),
            }
        }
    }

    /// Passes what stands for itself in a string.
    fn skip_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.expected("four hexadecimal digits"));
                }
                self.at += 5;
            }
            Some(_) | None => return Err(self.expected("an escape of JSON")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value<'a>, JsonError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(_) | None => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Value::Number(self.since(start)))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.expected("a digit")) }
    }
}

impl Brackets {
    fn push(&mut self, is_object: bool) {
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.bits >>= 1;
        self.depth -= 1;
    }

    fn is_object(&self) -> bool {
        self.bits & 1 == 1
    }

    fn closing(&self) -> u8 {
        if self.is_object() { b'}' } else { b']' }
    }
}
