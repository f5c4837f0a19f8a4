"""The ``grulearn`` command. A module for each command; with an underscore, what they share."""
