//! Dependencies, controls and shapes.

use std::collections::HashSet;

use crate::model::{
    Model,
    arguments::Dialect,
    tensor::{Tensor, list, tuple},
};
use crate::{Error, Result};

impl Model {
    pub(super) fn check_structure(&self) -> Result<()> {
        if self.a.is_empty() {
            return Err(Error::invalid("A.0: is missing; a model has at least one modality"));
        }
        if self.b.is_empty() {
            return Err(Error::invalid("B.0: is missing; a model has at least one factor"));
        }
        for (prefix, tensors) in self.families() {
            for (index, tensor) in tensors.iter().enumerate() {
                tensor.check().map_err(|error| error.within(format!("{prefix}.{index}")))?;
            }
        }
        self.check_counts()?;
        self.check_dependencies()?;
        self.check_controls()?;
        self.check_shapes()
    }

    /// The tensors under the names that files give them.
    pub(crate) fn families(&self) -> [(&'static str, &[Tensor]); 8] {
        [
            ("A", &self.a),
            ("B", &self.b),
            ("C", &self.c),
            ("D", &self.d),
            ("pA", &self.p_a),
            ("pB", &self.p_b),
            ("pD", &self.p_d),
            ("H", &self.h),
        ]
    }

    /// One of everything for each modality or factor; counts and goals may be absent altogether.
    fn check_counts(&self) -> Result<()> {
        let (modalities, factors) = (self.modalities(), self.factors());
        let wanted = [
            ("C", self.c.len(), modalities, "modalities", false),
            ("D", self.d.len(), factors, "factors", false),
            ("pA", self.p_a.len(), modalities, "modalities", true),
            ("pB", self.p_b.len(), factors, "factors", true),
            ("pD", self.p_d.len(), factors, "factors", true),
            ("H", self.h.len(), factors, "factors", true),
            ("A_dependencies", self.a_dependencies.len(), modalities, "modalities", false),
            ("B_dependencies", self.b_dependencies.len(), factors, "factors", false),
        ];
        for (name, have, need, what, optional) in wanted {
            if have != need && !(optional && have == 0) {
                return Err(Error::invalid(format!("{name}: there are {have}, but {need} {what}")));
            }
        }
        Ok(())
    }

    fn check_dependencies(&self) -> Result<()> {
        for (modality, dependencies) in self.a_dependencies.iter().enumerate() {
            let name = format!("A_dependencies[{modality}]");
            self.check_list(&name, dependencies, self.factors(), "factors")?;
            if dependencies.is_empty() {
                return Err(Error::invalid(format!("{name}: is empty; name at least one factor")));
            }
        }
        for (factor, dependencies) in self.b_dependencies.iter().enumerate() {
            let name = format!("B_dependencies[{factor}]");
            self.check_list(&name, dependencies, self.factors(), "factors")?;
            if !dependencies.contains(&factor) {
                return Err(Error::invalid(format!(
                    "{name}: {} leaves out {factor}; a factor depends on itself",
                    list(dependencies)
                )));
            }
        }
        if self.dialect == Dialect::Pymdp0 {
            let all: Vec<usize> = (0..self.factors()).collect();
            if let Some(modality) = self.a_dependencies.iter().position(|list| *list != all) {
                return Err(Error::invalid(format!(
                    "A_dependencies[{modality}]: is {}, but in pymdp-0 every modality depends on \
                     all factors, {}",
                    list(&self.a_dependencies[modality]),
                    list(&all)
                )));
            }
            let own = |(factor, list): (usize, &Vec<usize>)| list.as_slice() != [factor];
            if let Some(factor) = self.b_dependencies.iter().enumerate().position(own) {
                return Err(Error::invalid(format!(
                    "B_dependencies[{factor}]: is {}, but in pymdp-0 a factor depends on itself \
                     alone",
                    list(&self.b_dependencies[factor])
                )));
            }
        }
        Ok(())
    }

    fn check_list(&self, name: &str, list: &[usize], count: usize, what: &str) -> Result<()> {
        let mut named = HashSet::new();
        for &item in list {
            if item >= count {
                return Err(Error::invalid(format!(
                    "{name}: {item} is out of range, there are {count} {what}"
                )));
            }
            if !named.insert(item) {
                return Err(Error::invalid(format!("{name}: names {item} twice")));
            }
        }
        Ok(())
    }

    fn check_controls(&self) -> Result<()> {
        if let Some(control) = self.num_controls.iter().position(|&actions| actions == 0) {
            return Err(Error::invalid(format!(
                "num_controls[{control}]: is 0; a control has at least one action"
            )));
        }
        let factors = self.factors();
        match &self.b_action_dependencies {
            None if self.num_controls.len() != factors => Err(Error::invalid(format!(
                "num_controls: there are {}, but {factors} factors (without \
                 B_action_dependencies, one for each)",
                self.num_controls.len()
            ))),
            None => Ok(()),
            Some(_) if self.dialect == Dialect::Pymdp0 => Err(Error::invalid(
                "B_action_dependencies: pymdp-0 has one control for each factor",
            )),
            Some(lists) if lists.len() != factors => Err(Error::invalid(format!(
                "B_action_dependencies: there are {}, but {factors} factors",
                lists.len()
            ))),
            Some(lists) => lists.iter().enumerate().try_for_each(|(factor, list)| {
                let name = format!("B_action_dependencies[{factor}]");
                self.check_list(&name, list, self.num_controls.len(), "controls")
            }),
        }
    }

    fn check_shapes(&self) -> Result<()> {
        let states = self.num_states();
        let of = |factors: &[usize]| -> Vec<usize> { factors.iter().map(|&f| states[f]).collect() };
        for (modality, tensor) in self.a.iter().enumerate() {
            let dependencies = &self.a_dependencies[modality];
            let expected = [vec![tensor.rows()], of(dependencies)].concat();
            let why = || format!("A_dependencies {}", list(dependencies));
            expect_shape("A", modality, tensor, &expected, why)?;
            if let Some(counts) = self.p_a.get(modality) {
                expect_shape("pA", modality, counts, &expected, || "A's shape".into())?;
            }
        }
        for (factor, tensor) in self.b.iter().enumerate() {
            let dependencies = &self.b_dependencies[factor];
            let actions = self.controls_of(factor).map(|control| self.num_controls[control]);
            let actions: Vec<usize> = actions.collect();
            let expected = [vec![states[factor]], of(dependencies), actions.clone()].concat();
            let why = || {
                format!("B_dependencies {} and num_controls {}", list(dependencies), list(&actions))
            };
            expect_shape("B", factor, tensor, &expected, why)?;
            let own = [states[factor]];
            if let Some(counts) = self.p_b.get(factor) {
                expect_shape("pB", factor, counts, &expected, || "B's shape".into())?;
            }
            for (prefix, family) in [("D", &self.d), ("pD", &self.p_d), ("H", &self.h)] {
                if let Some(vector) = family.get(factor) {
                    let why = || format!("the states of factor {factor}");
                    expect_shape(prefix, factor, vector, &own, why)?;
                }
            }
        }
        Ok(())
    }
}

fn expect_shape(
    prefix: &str,
    index: usize,
    tensor: &Tensor,
    expected: &[usize],
    why: impl FnOnce() -> String,
) -> Result<()> {
    if tensor.shape() == expected {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{prefix}.{index}: shape is {}, not {} ({})",
        tuple(tensor.shape()),
        tuple(expected),
        why()
    )))
}
