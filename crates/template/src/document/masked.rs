//! A document for two readers; see [`Masked`].

use std::collections::BTreeSet;

use super::{Document, DocumentEvalError, FailedDocument, MemberKey, Part, put};
use crate::eval::Run;
use crate::limits::Meter;
use crate::mask::{Hides, Masked, Read};
use crate::scope::Scope;
use crate::value::{Object, Value};
use crate::view::MEMBER_BYTES;

impl Document {
    /// Evaluates the document once, for the value and for what may be shown of it.
    pub fn evaluate_masked(&self, scope: &Scope<'_>, hides: &Hides<'_>) -> Result<Masked, DocumentEvalError> {
        let mut run = Run::new(scope, self.limits);
        self.root.masked(&mut run, hides).map_err(FailedDocument::into_error)
    }

    /// Returns the document's reads.
    pub fn reads(&self) -> BTreeSet<Read> {
        let mut reads = BTreeSet::new();
        self.root.reads(&mut reads);
        reads
    }

    /// Returns the reads of each member of a collection, by the member's name; `None` for one whose name is computed or
    /// that merges others. A document that is no collection has no members.
    pub fn member_reads(&self) -> Vec<(Option<&str>, BTreeSet<Read>)> {
        let Part::Object(parts) = &self.root else {
            return Vec::new();
        };
        let of = |(key, part): &(MemberKey, Part)| {
            let mut reads = BTreeSet::new();
            key.reads(&mut reads);
            part.reads(&mut reads);
            reads
        };
        parts.iter().map(|member| (member.0.name(), of(member))).collect()
    }
}

impl Part {
    fn reads(&self, reads: &mut BTreeSet<Read>) {
        match self {
            Self::Constant(_) => {}
            Self::Template(template) => reads.extend(template.reads()),
            Self::Array(parts) => parts.iter().for_each(|part| part.reads(reads)),
            Self::Object(parts) => {
                for (key, part) in parts {
                    key.reads(reads);
                    part.reads(reads);
                }
            }
        }
    }

    fn masked<'a>(&'a self, run: &mut Run<'a>, hides: &Hides<'_>) -> Result<Masked, FailedDocument> {
        run.meter.burn(1).map_err(FailedDocument::fault)?;
        match self {
            Self::Constant(_) => self.evaluate(run).map(Masked::plain),
            Self::Template(template) => template.evaluate_masked_in(run, hides).map_err(FailedDocument::of),
            Self::Array(parts) => {
                room(&mut run.meter, parts.len(), size_of::<Value>())?;
                let (mut values, mut shown, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
                for (at, part) in parts.iter().enumerate() {
                    let item = part.masked(run, hides).map_err(|failed| failed.under(at.to_string()))?;
                    values.push(item.value);
                    shown.push(item.shown);
                    hidden.extend(item.hidden);
                }
                Ok(Masked {
                    value: Value::Array(values),
                    shown: Value::Array(shown),
                    hidden,
                })
            }
            Self::Object(parts) => {
                room(&mut run.meter, parts.len(), MEMBER_BYTES)?;
                let (mut members, mut shown, mut hidden) = (Object::new(), Object::new(), Vec::new());
                for (key, part) in parts {
                    let under = |failed: FailedDocument| failed.under(key.shown());
                    let mut member = part.masked(run, hides).map_err(under)?;
                    hidden.append(&mut member.hidden);
                    key.put_masked(member, &mut members, &mut shown, run, hides)
                        .map_err(under)?;
                }
                Ok(Masked {
                    value: Value::Object(members),
                    shown: Value::Object(shown),
                    hidden,
                })
            }
        }
    }
}

impl MemberKey {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Template(_) | Self::Spread => None,
        }
    }

    fn reads(&self, reads: &mut BTreeSet<Read>) {
        if let Self::Template(template) = self {
            reads.extend(template.reads());
        }
    }

    /// Puts a member and what may be shown of it where the key says.
    fn put_masked<'a>(
        &'a self,
        member: Masked,
        members: &mut Object,
        shown: &mut Object,
        run: &mut Run<'a>,
        hides: &Hides<'_>,
    ) -> Result<(), FailedDocument> {
        match self {
            Self::Spread => {
                match member.shown {
                    Value::Object(more) => more.into_iter().for_each(|(name, value)| put(shown, name, value)),
                    // What is merged is hidden, its names too.
                    hidden @ Value::Text(_) => put(shown, self.shown().to_owned(), hidden),
                    _ => {}
                }
                self.put(member.value, members, run)
            }
            Self::Name(name) => {
                put(members, name.clone(), member.value);
                put(shown, name.clone(), member.shown);
                Ok(())
            }
            Self::Template(template) => {
                let name = template.evaluate_masked_in(run, hides).map_err(FailedDocument::of)?;
                put(members, text(&name.value)?, member.value);
                put(shown, text(&name.shown)?, member.shown);
                Ok(())
            }
        }
    }
}

fn text(name: &Value) -> Result<String, FailedDocument> {
    let text = name.to_text();
    text.map(std::borrow::Cow::into_owned)
        .ok_or_else(|| FailedDocument::fault(crate::error::Fault::NotText))
}

fn room(meter: &mut Meter, count: usize, each: usize) -> Result<(), FailedDocument> {
    // Twice: once for the value, once for what is shown.
    meter
        .make(count.saturating_mul(each).saturating_mul(2))
        .map_err(FailedDocument::fault)
}
