"""The service of `wordloop up`: start it, talk to it, stop all that it started."""
