"""What plans and judges for the service, in processes of its own."""
