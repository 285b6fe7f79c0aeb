//! IML, the template language: text to a compiled program to a value.
