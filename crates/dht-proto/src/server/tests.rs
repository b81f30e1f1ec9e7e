//! What a stranger sees of the server: each reply and each refusal.
//! Apart for its length.
