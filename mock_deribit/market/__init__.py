"""What trades on the mock exchange besides its users: simulated, recorded or scripted markets."""
