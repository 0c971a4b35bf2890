//! Ordered maps and sets of few entries, as sorted arrays, with the part of cranelift-bforest's interface that the engine
//! uses; the engine crate's Cargo.toml puts this crate in that one's place.
//!
//! Why: a store's registry of modules is three such maps of one entry each, made, searched a dozen times and dropped for
//! every request. As B+-trees, whose every search fills a path of 16 steps, they were 1,000 of its 8,800 instructions.
//!
//! What is large: inserting into a map of n entries moves up to n of them. The compiler's maps hold the predecessors of a
//! block, inserted mostly in order, in a child with limits; the process's map of loaded code has an entry per program.
//!
//! A forest owns the entries of all maps made with it; a map is only their number there. The compiler has a
//! map for each block of a function (its predecessors) in one forest, everybody else one map in each.
use std::cmp::Ordering;
use std::iter::Copied;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Bound, RangeBounds};
use std::slice;

use smallvec::{CollectionAllocErr, SmallVec};
use wasmtime_core::error::OutOfMemory;

/// A total order of keys.
pub trait Comparator<K: Copy> {
    fn cmp(&self, a: K, b: K) -> Ordering;
}

impl<K: Copy + Ord> Comparator<K> for () {
    #[inline]
    fn cmp(&self, a: K, b: K) -> Ordering {
        a.cmp(&b)
    }
}

type Entries<K, V> = SmallVec<[(K, V); 1]>;

pub struct MapForest<K: Copy, V: Copy> {
    maps: SmallVec<[Entries<K, V>; 1]>,
}

impl<K: Copy, V: Copy> MapForest<K, V> {
    #[inline]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { maps: SmallVec::new() }
    }

    /// Invalidates all maps of this forest.
    pub fn clear(&mut self) {
        self.maps.clear();
    }
}

fn out_of_memory(error: CollectionAllocErr) -> OutOfMemory {
    match error {
        CollectionAllocErr::AllocErr { layout } => OutOfMemory::new(layout.size()),
        CollectionAllocErr::CapacityOverflow => OutOfMemory::new(isize::MAX as usize),
    }
}

/// An empty map has no place in its forest.
#[derive(Clone)]
pub struct Map<K: Copy, V: Copy> {
    place: Option<NonZeroU32>, // one more than the index
    types: PhantomData<(K, V)>,
}

impl<K: Copy, V: Copy> Default for Map<K, V> {
    #[inline]
    fn default() -> Self {
        Self { place: None, types: PhantomData }
    }
}

impl<K: Copy, V: Copy> Map<K, V> {
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.place.is_none()
    }

    #[inline]
    fn entries<'a>(&self, forest: &'a MapForest<K, V>) -> &'a [(K, V)] {
        match self.place {
            Some(place) => &forest.maps[place.get() as usize - 1],
            None => &[],
        }
    }

    #[inline]
    fn entries_mut<'a>(&self, forest: &'a mut MapForest<K, V>) -> Option<&'a mut Entries<K, V>> {
        Some(&mut forest.maps[self.place?.get() as usize - 1])
    }

    #[inline]
    fn search(&self, key: K, forest: &MapForest<K, V>, order: &impl Comparator<K>) -> Result<usize, usize> {
        self.entries(forest).binary_search_by(|entry| order.cmp(entry.0, key))
    }

    #[inline]
    pub fn get<C: Comparator<K>>(&self, key: K, forest: &MapForest<K, V>, order: &C) -> Option<V> {
        self.search(key, forest, order).ok().map(|at| self.entries(forest)[at].1)
    }

    /// Returns the value that `key` had.
    pub fn insert<C: Comparator<K>>(
        &mut self,
        key: K,
        value: V,
        forest: &mut MapForest<K, V>,
        order: &C,
    ) -> Option<V> {
        self.try_insert(key, value, forest, order).expect("memory for a map's entry")
    }

    #[inline]
    pub fn try_insert<C: Comparator<K>>(
        &mut self,
        key: K,
        value: V,
        forest: &mut MapForest<K, V>,
        order: &C,
    ) -> Result<Option<V>, OutOfMemory> {
        self.cursor_mut(forest, order).try_insert(key, value)
    }

    pub fn remove<C: Comparator<K>>(
        &mut self,
        key: K,
        forest: &mut MapForest<K, V>,
        order: &C,
    ) -> Option<V> {
        let mut cursor = self.cursor_mut(forest, order);
        cursor.goto(key)?;
        cursor.remove()
    }

    /// Gives an empty map's place back, if it is the forest's last; others wait for the forest's end.
    fn leave_if_empty(&mut self, forest: &mut MapForest<K, V>) {
        if self.entries(forest).is_empty() {
            let place = self.place.take();
            if place.is_some_and(|place| place.get() as usize == forest.maps.len()) {
                forest.maps.pop();
            }
        }
    }

    pub fn clear(&mut self, forest: &mut MapForest<K, V>) {
        if let Some(entries) = self.entries_mut(forest) {
            entries.clear();
            self.leave_if_empty(forest);
        }
    }

    /// Keeps the entries for which `keep` is true. It may change their values.
    pub fn retain<F: FnMut(K, &mut V) -> bool>(&mut self, forest: &mut MapForest<K, V>, mut keep: F) {
        if let Some(entries) = self.entries_mut(forest) {
            entries.retain(|entry| keep(entry.0, &mut entry.1));
            self.leave_if_empty(forest);
        }
    }

    /// A cursor after the last entry.
    #[inline]
    pub fn cursor_mut<'a, C: Comparator<K>>(
        &'a mut self,
        forest: &'a mut MapForest<K, V>,
        order: &'a C,
    ) -> MapCursorMut<'a, K, V, C> {
        let at = self.entries(forest).len();
        MapCursorMut { map: self, forest, order, at }
    }

    #[inline]
    pub fn iter<'a>(&'a self, forest: &'a MapForest<K, V>) -> MapIter<'a, K, V> {
        self.entries(forest).iter().copied()
    }

    pub fn into_iter(mut self, mut forest: MapForest<K, V>) -> MapIntoIter<K, V> {
        let entries = self.entries_mut(&mut forest).map(std::mem::take).unwrap_or_default();
        self.place = None;
        entries.into_iter()
    }

    #[inline]
    pub fn range<'a, R: RangeBounds<K>, C: Comparator<K>>(
        &'a self,
        range: R,
        forest: &'a MapForest<K, V>,
        order: &'a C,
    ) -> MapRange<'a, K, V, C> {
        let entries = self.entries(forest);
        let below = |key: &K| entries.partition_point(|entry| order.cmp(entry.0, *key).is_lt());
        let up_to = |key: &K| entries.partition_point(|entry| order.cmp(entry.0, *key).is_le());
        let first = match range.start_bound() {
            Bound::Included(key) => below(key),
            Bound::Excluded(key) => up_to(key),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(key) => up_to(key),
            Bound::Excluded(key) => below(key),
            Bound::Unbounded => entries.len(),
        };
        MapRange { entries: entries[first..end.max(first)].iter().copied(), order: PhantomData }
    }
}

pub type MapIter<'a, K, V> = Copied<slice::Iter<'a, (K, V)>>;
pub type MapIntoIter<K, V> = smallvec::IntoIter<[(K, V); 1]>;

pub struct MapRange<'a, K: Copy, V: Copy, C> {
    entries: MapIter<'a, K, V>,
    order: PhantomData<&'a C>,
}

impl<K: Copy, V: Copy, C> Iterator for MapRange<'_, K, V, C> {
    type Item = (K, V);

    #[inline]
    fn next(&mut self) -> Option<(K, V)> {
        self.entries.next()
    }
}

impl<K: Copy, V: Copy, C> DoubleEndedIterator for MapRange<'_, K, V, C> {
    #[inline]
    fn next_back(&mut self) -> Option<(K, V)> {
        self.entries.next_back()
    }
}

/// Stands at an entry, or after the last.
pub struct MapCursorMut<'a, K: Copy, V: Copy, C: Comparator<K>> {
    map: &'a mut Map<K, V>,
    forest: &'a mut MapForest<K, V>,
    order: &'a C,
    at: usize,
}

impl<K: Copy, V: Copy, C: Comparator<K>> MapCursorMut<'_, K, V, C> {
    #[inline]
    fn entry(&self) -> Option<(K, V)> {
        self.map.entries(self.forest).get(self.at).copied()
    }

    #[inline]
    pub fn key(&self) -> Option<K> {
        self.entry().map(|entry| entry.0)
    }

    #[inline]
    pub fn value(&self) -> Option<V> {
        self.entry().map(|entry| entry.1)
    }

    /// Moves to `key`, or to the next larger one and returns nothing.
    #[inline]
    pub fn goto(&mut self, key: K) -> Option<V> {
        let found = self.map.search(key, self.forest, self.order);
        self.at = found.unwrap_or_else(|next| next);
        found.ok().and_then(|_| self.value())
    }

    /// Moves to `key` and returns the value that it had.
    #[inline]
    pub fn try_insert(&mut self, key: K, value: V) -> Result<Option<V>, OutOfMemory> {
        let old = self.goto(key);
        let place = match self.map.place {
            Some(place) => place,
            None => {
                self.forest.maps.try_reserve(1).map_err(out_of_memory)?;
                self.forest.maps.push(Entries::new());
                let place = u32::try_from(self.forest.maps.len()).ok().and_then(NonZeroU32::new);
                *self.map.place.insert(place.expect("fewer than 4 G maps in a forest"))
            }
        };
        let entries = &mut self.forest.maps[place.get() as usize - 1];
        if old.is_some() {
            entries[self.at].1 = value;
        } else {
            entries.try_reserve(1).map_err(out_of_memory)?;
            entries.insert(self.at, (key, value));
        }
        Ok(old)
    }

    /// Returns the value of the entry that was here, and stands at the next.
    pub fn remove(&mut self) -> Option<V> {
        let (_, value) = self.entry()?;
        self.map.entries_mut(self.forest)?.remove(self.at);
        self.map.leave_if_empty(self.forest);
        Some(value)
    }
}

pub struct SetForest<K: Copy>(MapForest<K, ()>);

impl<K: Copy> SetForest<K> {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(MapForest::new())
    }

    /// Invalidates all sets of this forest.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[derive(Clone)]
pub struct Set<K: Copy>(Map<K, ()>);

impl<K: Copy> Default for Set<K> {
    fn default() -> Self {
        Self(Map::default())
    }
}

impl<K: Copy> Set<K> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether `key` is new.
    pub fn insert<C: Comparator<K>>(&mut self, key: K, forest: &mut SetForest<K>, order: &C) -> bool {
        self.0.insert(key, (), &mut forest.0, order).is_none()
    }

    pub fn clear(&mut self, forest: &mut SetForest<K>) {
        self.0.clear(&mut forest.0);
    }

    pub fn iter<'a>(&'a self, forest: &'a SetForest<K>) -> SetIter<'a, K> {
        SetIter(self.0.iter(&forest.0))
    }
}

pub struct SetIter<'a, K: Copy>(MapIter<'a, K, ()>);

impl<K: Copy> Iterator for SetIter<'_, K> {
    type Item = K;

    fn next(&mut self) -> Option<K> {
        self.0.next().map(|entry| entry.0)
    }
}

#[cfg(test)]
mod tests;
