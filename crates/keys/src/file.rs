//! Secret-key files: 64 hexadecimal digits that only their owner can read.
//! Apart from the keys because it is the only part of this crate that touches the outside world.
