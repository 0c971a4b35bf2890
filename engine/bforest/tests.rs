//! Maps of one forest against the standard library's, by random operations.
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Map, MapForest, Set, SetForest};

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn bound(random: &mut Random) -> Bound<u64> {
    let key = random.below(40);
    [Bound::Included(key), Bound::Excluded(key), Bound::Unbounded][random.below(3) as usize]
}

fn check(map: &Map<u64, u32>, model: &BTreeMap<u64, u32>, forest: &MapForest<u64, u32>, random: &mut Random) {
    let entries: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
    assert_eq!(map.iter(forest).collect::<Vec<_>>(), entries);
    assert_eq!(map.is_empty(), model.is_empty());
    let (start, end) = (bound(random), bound(random));
    let inside = |key: &u64| {
        let after = match start {
            Bound::Included(first) => *key >= first,
            Bound::Excluded(before) => *key > before,
            Bound::Unbounded => true,
        };
        let before = match end {
            Bound::Included(last) => *key <= last,
            Bound::Excluded(after) => *key < after,
            Bound::Unbounded => true,
        };
        after && before
    };
    let expected: Vec<_> = entries.iter().copied().filter(|(key, _)| inside(key)).collect();
    assert_eq!(map.range((start, end), forest, &()).collect::<Vec<_>>(), expected);
    assert_eq!(map.range((start, end), forest, &()).next_back(), expected.last().copied());
}

#[test]
fn maps_of_a_forest_do_what_the_standard_library_does() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..200 {
        let mut forest = MapForest::new();
        let mut maps: Vec<(Map<u64, u32>, BTreeMap<u64, u32>)> = vec![Default::default(); 4];
        for _ in 0..200 {
            let (map, model) = &mut maps[random.below(4) as usize];
            let (key, value) = (random.below(40), random.below(1000) as u32);
            match random.below(9) {
                0..=3 => assert_eq!(map.insert(key, value, &mut forest, &()), model.insert(key, value)),
                4 | 5 => assert_eq!(map.remove(key, &mut forest, &()), model.remove(&key)),
                6 => {
                    let mut cursor = map.cursor_mut(&mut forest, &());
                    assert_eq!(cursor.goto(key), model.get(&key).copied());
                    let next = model.range(key..).next();
                    assert_eq!(cursor.key().zip(cursor.value()), next.map(|(key, value)| (*key, *value)));
                }
                7 => {
                    let keep = |key: u64, value: &mut u32| {
                        *value += 1;
                        key % 3 != u64::from(*value % 3)
                    };
                    map.retain(&mut forest, keep);
                    model.retain(|key, value| keep(*key, value));
                }
                _ if random.below(10) == 0 => {
                    map.clear(&mut forest);
                    model.clear();
                }
                _ => assert_eq!(map.get(key, &forest, &()), model.get(&key).copied()),
            }
            for (map, model) in &maps {
                check(map, model, &forest, &mut random);
            }
        }
        let (map, model) = maps.swap_remove(0);
        assert!(map.into_iter(forest).eq(model));
    }
}

#[test]
fn a_map_that_fills_and_empties_takes_no_more_of_its_forest() {
    let mut forest = MapForest::new();
    let mut map = Map::new();
    for key in 0..1000_u64 {
        assert_eq!(map.insert(key, (), &mut forest, &()), None);
        assert_eq!(map.remove(key, &mut forest, &()), Some(()));
    }
    assert_eq!(forest.maps.len(), 0);
}

#[test]
fn a_set_holds_each_key_once_and_in_order() {
    let mut forest = SetForest::new();
    let mut set = Set::new();
    assert!([3, 1, 2].iter().all(|key| set.insert(*key, &mut forest, &())));
    assert!(!set.insert(2, &mut forest, &()));
    assert!(set.iter(&forest).eq([1, 2, 3]));
    set.clear(&mut forest);
    assert_eq!(set.iter(&forest).next(), None);
}
