//! Something kept for each phase.

use crate::verdict::course::Course;

/// One value per phase, and one for what lies outside of all.
#[derive(Clone, Debug, Default)]
pub struct Phases<T> {
    inside: Vec<T>,
    outside: T,
}

impl<T: Default> Phases<T> {
    /// The value of a phase.
    pub fn at(&mut self, phase: Option<u16>) -> &mut T {
        let Some(phase) = phase.map(usize::from) else { return &mut self.outside };
        if self.inside.len() <= phase {
            self.inside.resize_with(phase + 1, T::default);
        }
        &mut self.inside[phase]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.inside.iter().chain([&self.outside])
    }

    /// The values that a question is about: of the phase that is named, else of all with faults.
    pub fn asked<'p>(
        &'p self,
        course: &'p Course,
        phase: Option<usize>,
    ) -> impl Iterator<Item = &'p T> {
        let all = self.inside.iter().enumerate();
        all.filter(move |(at, _)| course.is_asked(phase, u16::try_from(*at).ok()))
            .map(|(_, value)| value)
    }
}
