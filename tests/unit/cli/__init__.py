"""The command line and the reports, with fakes for the use cases."""
