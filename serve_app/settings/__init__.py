"""Every knob of the service, typed and refused where it is unknown."""
