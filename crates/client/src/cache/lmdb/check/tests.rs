//! Files, sound and not.
