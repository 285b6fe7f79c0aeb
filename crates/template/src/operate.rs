//! The operators that need both of their sides.

use crate::ast::Operator;
use crate::dates;
use crate::error::Fault;
use crate::eval::Run;
use crate::value::Value;
use crate::view::{Val, View};

impl<'a> Run<'a> {
    /// Applies an operator to two values. `&` and `|` are not here: they need only one side at times.
    pub(crate) fn operate(&mut self, operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Value, Fault> {
        let (a, b) = (left.view(), right.view());
        let number = |number: f64| Ok(Value::Number(number));
        match operator {
            Operator::Add => self.add(a, b),
            Operator::Subtract => number(a.to_number() - b.to_number()),
            Operator::Multiply => number(a.to_number() * b.to_number()),
            Operator::Divide => number(a.to_number() / b.to_number()),
            Operator::Remainder => number(a.to_number() % b.to_number()),
            Operator::Equal => Ok(Value::Bool(self.equal(a, b)?)),
            Operator::NotEqual => Ok(Value::Bool(!self.equal(a, b)?)),
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                self.compare(operator, a, b)
            }
            Operator::And | Operator::Or => Ok(Value::Undefined),
        }
    }

    /// Strict equality, paid for by the smaller side.
    pub(crate) fn equal(&mut self, a: View<'_>, b: View<'_>) -> Result<bool, Fault> {
        self.meter.burn(a.weight().min(b.weight()))?;
        Ok(a.equals(b))
    }

    /// Text if either side is text (or a list or collection, which have no sum), else the sum.
    fn add(&mut self, a: View<'_>, b: View<'_>) -> Result<Value, Fault> {
        let textual =
            |view: View<'_>| matches!(view, View::Text(_) | View::Array(_) | View::Object(_) | View::Binary(_));
        if !textual(a) && !textual(b) {
            return Ok(Value::Number(a.to_number() + b.to_number()));
        }
        let (a, b) = (self.text(a)?, self.text(b)?);
        self.meter.make(a.len() + b.len())?;
        Ok(Value::Text([a, b].concat()))
    }

    /// Two texts compare by UTF-16 units, as in JavaScript; a date makes a date of the other side; all else compares
    /// as numbers.
    fn compare(&mut self, operator: Operator, a: View<'_>, b: View<'_>) -> Result<Value, Fault> {
        let ordering = match (a, b) {
            (View::Text(a), View::Text(b)) => {
                self.meter.read(a.len().min(b.len()))?;
                Some(a.encode_utf16().cmp(b.encode_utf16()))
            }
            (View::BigInteger(a), View::BigInteger(b)) => Some(a.cmp(&b)),
            (View::Date(_), _) | (_, View::Date(_)) => {
                let zone = self.scope.zone();
                dates::of_view(a, zone)
                    .zip(dates::of_view(b, zone))
                    .map(|(a, b)| a.cmp(&b))
            }
            _ => a.to_number().partial_cmp(&b.to_number()),
        };
        Ok(Value::Bool(ordering.is_some_and(|ordering| match operator {
            Operator::Less => ordering.is_lt(),
            Operator::LessEqual => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            _ => ordering.is_ge(),
        })))
    }
}
