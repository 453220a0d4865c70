//! The domain of Trunkline: recipe, signup, plan, step, journal, state, handoff. No I/O.
