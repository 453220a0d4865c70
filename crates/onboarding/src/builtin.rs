//! The recipes that are compiled in.

use crate::recipe::Recipe;

/// Name and text of every file of the `recipes/` folder, by name.
pub const RECIPES: &[(&str, &str)] = &[
    ("bolna.toml", include_str!("../../../recipes/bolna.toml")),
    (
        "elevenlabs.toml",
        include_str!("../../../recipes/elevenlabs.toml"),
    ),
    (
        "livekit.toml",
        include_str!("../../../recipes/livekit.toml"),
    ),
    (
        "nlpearl.toml",
        include_str!("../../../recipes/nlpearl.toml"),
    ),
    (
        "pipecat.toml",
        include_str!("../../../recipes/pipecat.toml"),
    ),
    ("rapida.toml", include_str!("../../../recipes/rapida.toml")),
    ("retell.toml", include_str!("../../../recipes/retell.toml")),
    (
        "smallest.toml",
        include_str!("../../../recipes/smallest.toml"),
    ),
    (
        "ultravox.toml",
        include_str!("../../../recipes/ultravox.toml"),
    ),
    ("vapi.toml", include_str!("../../../recipes/vapi.toml")),
    (
        "vocallabs.toml",
        include_str!("../../../recipes/vocallabs.toml"),
    ),
];

/// All of them, read. A test sees to it that every one can be.
pub fn recipes() -> impl Iterator<Item = Recipe> {
    RECIPES
        .iter()
        .filter_map(|(_, text)| Recipe::parse(text).ok())
}
