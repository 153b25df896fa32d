"""What all resources share: problems, fields, request headers, services, and the gateway to the use cases."""
