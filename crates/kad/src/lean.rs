//! Lists that are kept for hours and grow rarely.
//! Separate because table and book hold one for every few contacts, and what each keeps in hand adds up.

/// Makes room for one more, and for an eighth besides. A list that doubles would hold a third of its room for nobody,
/// on average, and a node has dozens of them.
pub(crate) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_grows_one_by_one_keeps_an_eighth_in_hand_and_moves_seldom() {
        let (mut list, mut moves) = (Vec::new(), 0);
        for at in 0..1_000_u32 {
            let before = list.capacity();
            make_room(&mut list);
            moves += usize::from(list.capacity() != before);
            list.push(at);
            assert!(list.capacity() <= list.len() + list.len() / 8 + 1, "{at}");
        }
        assert!(moves < 60, "{moves}");
    }
}
