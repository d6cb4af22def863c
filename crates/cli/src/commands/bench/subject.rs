//! A benchmark that has workloads of its own: `bench pool` runs all of them, `bench pool sequential` one.

/// What is measured, and the workloads it is measured by.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) workloads: &'static [&'static str],
}

impl Subject {
    /// The names that ask for it or for a part of it.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.workloads.iter().copied())
    }

    /// The workloads that `names` ask for: those that they name; where they name none, all, if they
    /// name the subject or nothing at all.
    pub(super) fn asked(&self, names: &[String]) -> Vec<&'static str> {
        let named = |workload: &str| names.iter().any(|name| name == workload);
        let some: Vec<_> = self.workloads.iter().copied().filter(|it| named(it)).collect();
        if some.is_empty() && (names.is_empty() || named(self.name)) {
            return self.workloads.to_vec();
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::Subject;

    #[test]
    fn a_subject_is_asked_for_whole_or_by_workload() {
        let subject = Subject { name: "pool", workloads: &["random", "touch"] };
        let asked = |names: &[&str]| {
            subject.asked(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(asked(&[]), ["random", "touch"]);
        assert_eq!(asked(&["pool"]), ["random", "touch"]);
        assert_eq!(asked(&["pool", "touch"]), ["touch"]);
        assert_eq!(asked(&["touch", "tensor"]), ["touch"]);
        assert!(asked(&["tensor"]).is_empty());
    }
}
