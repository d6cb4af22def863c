//! Whose bytes they are: owners, classes, and a count of both.

/// Something that holds memory: an agent, an array, a worker. The pool does not know what it is;
/// whoever implements [`Census`] numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(pub u64);

/// What memory is used for. The pool does not know what the classes mean; whoever makes a
/// [`Ledger`](crate::Ledger) or a [`Census`] names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub u8);

impl Class {
    /// How many classes a ledger can tell apart.
    pub const COUNT: usize = 8;
}

/// Where an owner is in its life. The pool does not know what the stages mean; whoever has the owners
/// names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stage(pub u8);

/// Tells every owner's bytes by class.
///
/// ```
/// use populace_pool::{Census, Class, Owner};
///
/// struct Two;
/// impl Census for Two {
///     fn visit(&self, visitor: &mut dyn FnMut(Owner, Class, u64)) {
///         visitor(Owner(0), Class(0), 100);
///         visitor(Owner(1), Class(0), 28);
///     }
/// }
/// let mut total = 0;
/// Two.visit(&mut |_, _, bytes| total += bytes);
/// assert_eq!(total, 128);
/// ```
pub trait Census {
    /// Calls `visitor(owner, class, bytes)` for each pair that holds bytes, in any order; a pair
    /// visited twice holds the sum.
    fn visit(&self, visitor: &mut dyn FnMut(Owner, Class, u64));
}
