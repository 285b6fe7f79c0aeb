//! The template language from outside.

mod cases;
mod examples;
