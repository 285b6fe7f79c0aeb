//! Bytes to verified claims: algorithms, key sets, and the key cache as a state machine.
