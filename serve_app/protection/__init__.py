"""What has to hold before anybody is served: who may reach the service, how decoders are shut in."""
