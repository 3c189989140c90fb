"""Formats of recordings, read by whoever needs them: trade tapes, frames of the venue, tardis streams."""
