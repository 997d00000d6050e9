"""The guided demo: a real control plane, a real Git repository, the real Setscrew. Also the stage of integration tests."""
