//! What names look like, so that a look-alike is found without comparing a new name with all others.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::Username;

/// Names by both shapes that each of them has.
#[derive(Debug, Default)]
pub(super) struct Shapes(BTreeMap<String, BTreeSet<Username>>);

impl Shapes {
    pub(super) fn add(&mut self, name: &Username) {
        for shape in shapes(name) {
            self.0.entry(shape).or_default().insert(name.clone());
        }
    }

    pub(super) fn remove(&mut self, name: &Username) {
        for shape in shapes(name) {
            if let Some(names) = self.0.get_mut(&shape) {
                names.remove(name);
                if names.is_empty() {
                    self.0.remove(&shape);
                }
            }
        }
    }

    /// All other names that a person could take for this one.
    pub(super) fn like(&self, name: &Username) -> BTreeSet<Username> {
        let sharing = shapes(name).into_iter().filter_map(|shape| self.0.get(&shape)).flatten();
        sharing.filter(|other| *other != name).cloned().collect()
    }
}

fn shapes(name: &Username) -> [String; 2] {
    let skeletons = name.skeletons();
    [skeletons.typed, skeletons.folded]
}
