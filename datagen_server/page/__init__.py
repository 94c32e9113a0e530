"""What people and Prometheus see of a running service: a status page, a browser of samples, health, metrics."""
