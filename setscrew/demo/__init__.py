"""The guided demo: a real control plane, Git repository and Setscrew. Also the stage of integration tests."""
