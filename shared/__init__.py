"""The vocabulary every part speaks: kernel, units, instruments, messages, subjects, the venue's wire."""
