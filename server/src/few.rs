//! A list that is nearly always of one: no allocation for that.

/// Some values, the first of which needs no allocation of its own.
pub(crate) type Few<T> = smallvec::SmallVec<[T; 1]>;
